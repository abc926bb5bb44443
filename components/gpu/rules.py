"""What is counted of GPUs, and when somebody hears that they are paid for and do nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from mlstrata.environments.spec.quantities import format_duration
from mlstrata.environments.spec.teams import GpuPoolSpec
from mlstrata.services.alerts.rules import Subject

BUSY = "DCGM_FI_DEV_GPU_UTIL"
"""What DCGM says of each GPU: how busy it is, in percent; with the pod that holds it, where one does."""
HELD, USED = "mlstrata:gpu_held:count", "mlstrata:gpu_used:percent"
"""What is recorded by namespace and pool: how many GPUs pods hold, and how busy those are."""
POOL_LABEL = "pool"
IDLE_PERCENT, IDLE_HOURS = 5, 6
"""A GPU less busy than this for so long is idle: longer than a training loads data, shorter than a night is missed."""
_GRACE = timedelta(minutes=30)
"""What giving a node back takes beyond the time after which it is unused."""


def groups(pools: Sequence[GpuPoolSpec], subject: Subject) -> list[dict[str, Any]]:
    """Return the rules of an environment's pools.

    Args:
        pools: The pools.
        subject: Who is told.
    """
    ours = f'{POOL_LABEL}=~"{"|".join(sorted(pool.name for pool in pools))}"'
    held = f'{BUSY}{{{ours}, exported_pod!=""}}'
    by_space = f"exported_namespace, {POOL_LABEL}"
    idle = f"avg by (exported_namespace, exported_pod, {POOL_LABEL}) (avg_over_time({held}[{IDLE_HOURS}h]))"
    pod = "{{ $labels.exported_pod }} of {{ $labels.exported_namespace }}"
    rules: list[dict[str, Any]] = [
        {"record": HELD, "expr": f"count by ({by_space}) ({held})"},
        {"record": USED, "expr": f"avg by ({by_space}) ({held})"},
        subject.rule(
            "GpuHeldIdle",
            f"{idle} < {IDLE_PERCENT}",
            f"{IDLE_HOURS}h",
            "warning",
            summary=f"{pod} holds a GPU and used less than {IDLE_PERCENT} % of it for {IDLE_HOURS} hours",
        ),
    ]
    return [{"name": "gpus", "rules": [*rules, *(_unused(pool, subject) for pool in pools)]}]


def _unused(pool: GpuPoolSpec, subject: Subject) -> dict[str, Any]:
    """Return the rule that nodes of a pool which nothing uses are given back, but for those that it keeps."""
    there = f'{BUSY}{{{POOL_LABEL}="{pool.name}"}}'
    nodes = f"count by ({POOL_LABEL}, Hostname) ({there})"
    used = f'count by ({POOL_LABEL}, Hostname) ({there[:-1]}, exported_pod!=""}})'
    keeps = f", of which it keeps {pool.nodes.min}" if pool.nodes.min else ""
    return subject.rule(
        "GpuNodeUnused",
        f"count by ({POOL_LABEL}) ({nodes} unless {used}) > {pool.nodes.min}",
        format_duration(pool.idle_after + _GRACE),
        "warning",
        summary=f"nodes of the pool {pool.name} on which no pod holds a GPU{keeps}: {{{{ $value }}}}; they are to be "
        f"given back after {format_duration(pool.idle_after)}",
    )
