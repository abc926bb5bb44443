"""Postgres on a cluster: the registry and the feature store keep their tables in it."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        "database",
        kubernetes=ClusterBuilder(
            "mlstrata.components.database.kubernetes:build",
            after=(Capability.ALERTS,),
            when=lambda spec, _: Capability.REGISTRY in spec.capabilities,
        ),
    ),
)
