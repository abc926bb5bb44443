"""Monitoring: what recorded predictions tell, and the alerts on it."""

from __future__ import annotations

from mlstrata.components.capability import Declaration, LocalBuilder
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.MONITORING,
        local=LocalBuilder(
            "mlstrata.components.monitor.local:build", ports={"monitor": ("monitor",)}, programs=("python",)
        ),
    ),
    Declaration(Capability.FAIRNESS, local=LocalBuilder("mlstrata.components.monitor.local:fairness")),
    # What is promised is measured of what was recorded; without records, the alerts on errors and latency stand alone.
    Declaration(
        Capability.SLA,
        local=LocalBuilder("mlstrata.components.monitor.local:promises", after=(Capability.MONITORING,)),
    ),
)
