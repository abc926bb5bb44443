"""Which machines of AWS have which GPUs, looked up on 2026-11-29 in AWS's own table of accelerated instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlstrata.environments.spec.teams import Accelerator, GpuPoolSpec

MACHINES: Mapping[Accelerator, Mapping[int, str]] = {
    Accelerator.T4: {1: "g4dn.2xlarge", 4: "g4dn.12xlarge", 8: "g4dn.metal"},
    Accelerator.V100: {1: "p3.2xlarge", 4: "p3.8xlarge", 8: "p3.16xlarge"},
    Accelerator.A10G: {1: "g5.2xlarge", 4: "g5.12xlarge", 8: "g5.48xlarge"},
    Accelerator.L4: {1: "g6.2xlarge", 4: "g6.12xlarge", 8: "g6.48xlarge"},
    Accelerator.L40S: {1: "g6e.2xlarge", 4: "g6e.12xlarge", 8: "g6e.48xlarge"},
    Accelerator.A100: {8: "p4d.24xlarge"},
    Accelerator.H100: {1: "p5.4xlarge", 8: "p5.48xlarge"},
    Accelerator.H200: {8: "p5en.48xlarge"},
}
"""Accelerator to the machine with so many of it: of several the one with room for a service beside the model."""


def machine_of(pool: GpuPoolSpec) -> str:
    """Return the kind of machine of a pool's nodes.

    Raises:
        KeyError: AWS has none with so many; `problems` has said so.
    """
    return MACHINES[pool.accelerator][pool.gpus_per_node]


def problems(pools: tuple[GpuPoolSpec, ...]) -> Iterator[str]:
    """Yield each pool whose nodes AWS does not have."""
    for at, pool in enumerate(pools):
        if pool.gpus_per_node not in (known := MACHINES[pool.accelerator]):
            yield (
                f"gpu_pools[{at}].gpus_per_node: got {pool.gpus_per_node}; AWS has machines with "
                f"{', '.join(map(str, known))} of {pool.accelerator}"
            )
