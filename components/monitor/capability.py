"""Monitoring: what recorded predictions tell, and the alerts on it."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.MONITORING,
        local=LocalBuilder(
            "mlstrata.components.monitor.local:build", ports={"monitor": ("monitor",)}, programs=("python",)
        ),
        kubernetes=ClusterBuilder(
            "mlstrata.components.monitor.kubernetes:build",
            after=(Capability.RECORDING, Capability.REGISTRY, Capability.ALERTS, Capability.TEAMS),
        ),
    ),
    Declaration(
        Capability.FAIRNESS,
        local=LocalBuilder("mlstrata.components.monitor.local:fairness"),
        kubernetes=ClusterBuilder("mlstrata.components.monitor.kubernetes:fairness"),
    ),
    # What is promised is measured of what was recorded; without records, the alerts on errors and latency stand alone.
    Declaration(
        Capability.SLA,
        local=LocalBuilder("mlstrata.components.monitor.local:promises", after=(Capability.MONITORING,)),
        kubernetes=ClusterBuilder(
            "mlstrata.components.monitor.kubernetes:promises", after=(Capability.MONITORING, Capability.TEAMS)
        ),
    ),
)
