"""Pools of GPU nodes that come and go, on a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.components.capability import ClusterBuilder, Declaration
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.stages import Capability


def _problems(spec: EnvironmentSpec) -> Iterator[str]:
    if spec.target.kind == "kubernetes":
        for at, pool in enumerate(spec.gpu_pools):
            if pool.nodes.min:
                yield (
                    f"gpu_pools[{at}].nodes.min: got {pool.nodes.min}; Karpenter gives every idle node back, so "
                    "allowed: 0"
                )


DECLARATIONS = (
    Declaration(
        Capability.GPU_POOLS,
        kubernetes=ClusterBuilder(
            "mlstrata.components.gpu.kubernetes:build",
            after=(Capability.ALERTS,),
            when=lambda spec, _: bool(spec.gpu_pools),
            problems=_problems,
        ),
    ),
)
