"""The feature store, on a cluster."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.FEATURE_STORE,
        kubernetes=ClusterBuilder(
            "mlstrata.components.features.kubernetes:build", after=("database", "storage"), upstream="feast"
        ),
    ),
)
