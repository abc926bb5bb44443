"""Retraining: an alert, or a person, starts a training, and its model takes over by the declared rollout."""

from __future__ import annotations

from mlstrata.components.capability import Declaration, LocalBuilder
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.RETRAINING,
        local=LocalBuilder(
            "mlstrata.components.learning.local:build", ports={"learning": ("learning",)}, programs=("python",)
        ),
    ),
)
