"""Every provider, made in one place: nothing is deployed to whatever somebody used last."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pulumi

from mlstrata.components.kubernetes_objects import provider_version

if TYPE_CHECKING:
    from mlstrata.environments.spec.target import KubernetesTarget
    from mlstrata.stacks.substrate import SubstrateOutputs

PATCH_FORCE = "PULUMI_K8S_ENABLE_PATCH_FORCE"
"""Set for one run, it takes over fields of retained definitions, which upstream's own manifests bring unannotated."""


def kubernetes(target: KubernetesTarget) -> pulumi.ProviderResource:
    """Return the provider of an environment's cluster."""
    return _of(context=target.context)


def eks(substrate: SubstrateOutputs) -> pulumi.ProviderResource:
    """Return the provider of a cluster that a substrate made."""
    return _of(kubeconfig=kubeconfig_of(substrate))


def kubeconfig_of(substrate: SubstrateOutputs) -> str:
    """Return a kubeconfig of a substrate's cluster: whoever deploys is let in by who they are to AWS."""
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
    return json.dumps(kubeconfig, sort_keys=True)


def _of(**where: str) -> pulumi.ProviderResource:
    """Return the provider of the cluster that is there.

    The class of `pulumi_kubernetes` is not used: what it is not given it takes from variables of whoever deploys, so
    that the path of a kubeconfig would be part of the state, and another one a change. The provider reads that itself.
    """
    told = {
        # The API server merges fields by who set them: what a rollout or an autoscaler owns stays its own.
        "enableServerSideApply": True,
        # What an earlier stack left, as it holds data, is taken over, and so are namespaces that upstream's own bundles
        # declare beside ours: an object that is there is no error. Nothing is renamed without an alias.
        "upsertExistingObjects": True,
        # Settings are changed where they are: else the object is deleted and made anew under its name, and a pod that
        # starts in between finds none.
        "enableConfigMapMutable": True,
        # A cluster that cannot be reached must not look like one from which everything was deleted.
        "deleteUnreachable": False,
        "suppressDeprecationWarnings": False,
    }
    if os.environ.get(PATCH_FORCE, "").lower() in ("1", "t", "true"):
        told["enablePatchForce"] = True
    return pulumi.ProviderResource(
        "kubernetes",
        "cluster",
        {**where, **{name: json.dumps(value) for name, value in told.items()}},
        pulumi.ResourceOptions(version=provider_version()),
    )
