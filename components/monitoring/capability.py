"""Metrics and alerts, the log of alerts, and the archive of the gateway's log."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.environments.stages import Capability


def _watched(spec: EnvironmentSpec, _: Workspace) -> bool:
    """What archives the gateway's log runs wherever there is a gateway, alerts or none."""
    return bool({Capability.ALERTS, Capability.GATEWAY} & spec.capabilities)


DECLARATIONS = (
    Declaration(
        Capability.ALERTS,
        local=LocalBuilder(
            ports={"prometheus": ("prometheus",), "alertmanager": ("alertmanager",)},
            programs=("prometheus", "alertmanager"),
        ),
        kubernetes=ClusterBuilder("mlstrata.components.monitoring.kubernetes:build"),
    ),
    Declaration(
        "exporter",
        local=LocalBuilder(
            "mlstrata.components.monitoring.local:build",
            # Prometheus starts after the rules and targets of all others.
            last=True,
            when=_watched,
            ports={"resources": ("resources",)},
        ),
    ),
    Declaration(
        "logs",
        kubernetes=ClusterBuilder(
            "mlstrata.components.monitoring.logs:build", after=(Capability.ALERTS, Capability.TEAMS), upstream="loki"
        ),
    ),
)
