"""Scoring of whole datasets: by command or by the clock."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.environments.stages import Capability


def _scheduled(spec: EnvironmentSpec, _: Workspace) -> bool:
    return Capability.BATCH in spec.capabilities and any(system.serving.schedule for system in spec.systems)


DECLARATIONS = (
    Declaration(
        Capability.BATCH,
        local=LocalBuilder(
            "mlstrata.components.batch.local:build",
            when=_scheduled,
            ports={"batch": ("batch",)},
            programs=("python",),
        ),
        kubernetes=ClusterBuilder(
            "mlstrata.components.batch.kubernetes:build", after=(Capability.REGISTRY, Capability.TEAMS)
        ),
    ),
)
