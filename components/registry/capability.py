"""The registry: numbered versions of models with their lineage; experiments and releases stand on it."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.REGISTRY,
        provides=(Capability.TRACKING, Capability.LINEAGE, Capability.RELEASE),
        local=LocalBuilder(
            "mlstrata.components.registry.local:build",
            after=("storage",),
            ports={"mlflow": ("mlflow",)},
            programs=("mlflow", "python"),
        ),
        kubernetes=ClusterBuilder(
            "mlstrata.components.registry.kubernetes:build", after=(Capability.ALERTS, "database", "storage")
        ),
    ),
)
