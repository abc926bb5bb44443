"""Pipelines of reusable steps: a runner on this machine, Kubeflow Pipelines on a cluster."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.PIPELINES,
        provides=(
            Capability.TUNING,
            Capability.DATA_VERSIONING,
            Capability.DATA_QUALITY,
            Capability.REGULATORY_TESTS,
        ),
        local=LocalBuilder(
            "mlstrata.components.pipelines.local:build", ports={"runner": ("runner",)}, programs=("python",)
        ),
        kubernetes=ClusterBuilder("mlstrata.components.pipelines.kubernetes:build"),
    ),
)
