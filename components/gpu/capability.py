"""Pools of GPU nodes that come and go, on a cluster."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.GPU_POOLS,
        kubernetes=ClusterBuilder(
            "mlstrata.components.gpu.kubernetes:build",
            after=(Capability.ALERTS,),
            when=lambda spec, _: bool(spec.gpu_pools),
        ),
    ),
)
