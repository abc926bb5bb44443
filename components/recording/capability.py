"""The recorder: what was predicted, from what, by which version, and what became known of it."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.RECORDING,
        local=LocalBuilder(
            "mlstrata.components.recording.local:build",
            # Before what serves: a prediction process is told where to send, and finds the key of pseudonyms there.
            after=(),
            ports={"recorder": ("recorder",)},
            programs=("python",),
        ),
        kubernetes=ClusterBuilder(
            "mlstrata.components.recording.kubernetes:build",
            after=("database", Capability.ALERTS, Capability.TEAMS),
        ),
    ),
)
