"""Every provider, made in one place: nothing is deployed to whatever somebody used last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from mlstrata.environments.spec.target import KubernetesTarget
    from mlstrata.stacks.substrate import SubstrateOutputs


def kubernetes(target: KubernetesTarget) -> pulumi.ProviderResource:
    """Return the provider of an environment's cluster."""
    return _of(context=target.context)


def eks(substrate: SubstrateOutputs) -> pulumi.ProviderResource:
    """Return the provider of a cluster that a substrate made: whoever deploys is let in by who they are to AWS."""
    cluster, name = substrate.cluster, substrate.cluster.name
    arguments = ["--region", substrate.region, "eks", "get-token", "--cluster-name", name, "--output", "json"]
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {"name": name, "cluster": {"server": cluster.endpoint, "certificate-authority-data": cluster.authority}}
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [
            {
                "name": name,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1",
                        "command": "aws",
                        "args": arguments,
                        "interactiveMode": "Never",
                    }
                },
            }
        ],
    }
    return _of(kubeconfig=json.dumps(kubeconfig, sort_keys=True))


def _of(**where: str) -> pulumi.ProviderResource:
    """Return the provider of the cluster that is there."""
    from pulumi_kubernetes import Provider

    made: pulumi.ProviderResource = Provider(
        "cluster",
        **where,
        # The API server merges fields by who set them: what a rollout or an autoscaler owns stays its own.
        enable_server_side_apply=True,
        # What an earlier stack left, as it holds data, is taken over, and so are namespaces that upstream's own bundles
        # declare beside ours: an object that is there is no error. Nothing is renamed without an alias.
        upsert_existing_objects=True,
        # A cluster that cannot be reached must not look like one from which everything was deleted.
        delete_unreachable=False,
        suppress_deprecation_warnings=False,
    )
    return made
