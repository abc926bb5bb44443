"""GPUs that several pods share: the configurations of the device plugin, which each node names by its label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from mlstrata.components.gpu.args import GPU
from mlstrata.environments.spec.teams import GpuPoolSpec, parts_of

PLUGIN_CONFIG = "nvidia.com/device-plugin.config"
"""Label of a node with the name of the plugin's configuration."""
WHOLE = "whole"


def config_of(pool: GpuPoolSpec) -> str:
    """Return the name of a pool's configuration."""
    sharing = pool.sharing
    if sharing is None:
        return WHOLE
    return f"slices-{sharing.time_slices}" if sharing.time_slices else "parts"


def plugin_values(pools: Sequence[GpuPoolSpec]) -> dict[str, Any]:
    """Return the values of the device plugin's chart; none where no pool is shared."""
    if not any(pool.sharing for pool in pools):
        return {}
    made = {WHOLE: _config(), **{config_of(pool): _of(pool) for pool in pools}}
    texts = {name: yaml.safe_dump(one, sort_keys=True) for name, one in sorted(made.items())}
    return {"config": {"default": WHOLE, "map": texts}}


def _of(pool: GpuPoolSpec) -> dict[str, Any]:
    sharing = pool.sharing
    if sharing is None:
        return _config()
    if sharing.time_slices:
        slicing = {"resources": [{"name": GPU, "replicas": sharing.time_slices}]}
        # More than one of them is no more of the GPU: whoever asks for two is told, not fooled.
        return {**_config(), "sharing": {"timeSlicing": {"failRequestsGreaterThanOne": True, **slicing}}}
    # All GPUs of a node are cut alike, so that each part is asked for as a GPU.
    return _config("single")


def _config(strategy: str = "none") -> dict[str, Any]:
    return {"version": "v1", "flags": {"migStrategy": strategy}}


def cutting(profile: str) -> str:
    """Return the script that cuts every GPU of a node as it starts."""
    parts = ",".join([profile] * parts_of(profile))
    return f"#!/bin/bash\nset -euo pipefail\nnvidia-smi -mig 1\nnvidia-smi mig -cgi {parts} -C\n"
