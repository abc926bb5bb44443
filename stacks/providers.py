"""Every provider, made in one place: nothing is deployed to whatever somebody used last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from environments.spec.target import KubernetesTarget


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
