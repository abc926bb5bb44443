"""Every provider, made in one place: nothing is deployed to whatever somebody used last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from environments.spec.target import KubernetesTarget
    from stacks.substrate import SubstrateOutputs


def kubernetes(target: KubernetesTarget) -> pulumi.ProviderResource:
    """Return the provider of an environment's cluster."""
    from pulumi_kubernetes import Provider

    made: pulumi.ProviderResource = Provider(
        "cluster",
        context=target.context,
        # The API server merges fields by who set them: what a rollout or an autoscaler owns stays its own.
        enable_server_side_apply=True,
        # A cluster that cannot be reached must not look like one from which everything was deleted.
        delete_unreachable=False,
        suppress_deprecation_warnings=False,
    )
    return made


def eks(substrate: SubstrateOutputs) -> pulumi.ProviderResource:
    """Return the provider of a cluster that a substrate made: whoever deploys is let in by who they are to AWS."""
    from pulumi_kubernetes import Provider

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
    made: pulumi.ProviderResource = Provider(
        "cluster",
        kubeconfig=json.dumps(kubeconfig, sort_keys=True),
        enable_server_side_apply=True,
        delete_unreachable=False,
        suppress_deprecation_warnings=False,
    )
    return made
