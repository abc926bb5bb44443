"""The catalog: which data, models and systems there are, and what became of them."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.CATALOG,
        local=LocalBuilder(
            "mlstrata.components.catalog.local:build", ports={"catalog": ("catalog",)}, programs=("python",)
        ),
        kubernetes=ClusterBuilder(
            "mlstrata.components.catalog.kubernetes:build", after=(Capability.ALERTS, Capability.REGISTRY)
        ),
    ),
)
