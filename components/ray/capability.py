"""Training on several machines at once."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.DISTRIBUTED_TRAINING,
        # On one machine a training starts its workers itself.
        local=LocalBuilder(),
        kubernetes=ClusterBuilder(
            "mlstrata.components.ray.kubernetes:build", after=(Capability.TEAMS,), upstream="kuberay"
        ),
    ),
)
