"""Pools of GPU nodes that come and go, on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.components.gpu.room import beyond_nodes
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.stages import Capability


def _problems(spec: EnvironmentSpec) -> Iterator[str]:
    for at, pool in enumerate(spec.gpu_pools):
        if pool.nodes.min:
            yield (
                f"gpu_pools[{at}].nodes.min: got {pool.nodes.min}; Karpenter gives every idle node back, so allowed: 0"
            )
    yield from beyond_nodes(spec)


def _on_one_machine(spec: EnvironmentSpec) -> Iterator[str]:
    for at, pool in enumerate(spec.gpu_pools):
        if pool.nodes.max > 1:
            yield f"gpu_pools[{at}].nodes.max: got {pool.nodes.max}; this machine is one node, so allowed: 1"
        if pool.sharing is not None:
            yield f"gpu_pools[{at}].sharing: is not set up on this machine; remove it, processes share by themselves"


_NODES = ClusterBuilder(
    "mlstrata.components.gpu.kubernetes:build",
    problems=beyond_nodes,
    after=(Capability.ALERTS,),
    when=lambda spec, _: bool(spec.gpu_pools),
)
DECLARATIONS = (
    Declaration(
        Capability.GPU_POOLS,
        # The processes of this machine use the GPUs that it has; there is nothing to make.
        local=LocalBuilder(problems=_on_one_machine),
        kubernetes=replace(_NODES, problems=_problems),
        aws=_NODES,  # there the substrate has a group of nodes for those that stay
    ),
)
