"""Whether the GPUs that systems ask for can be had at all: pods that cannot have them wait for ever, unheard."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.spec.teams import GpuPoolSpec


def is_for(pool: GpuPoolSpec, team: str | None) -> bool:
    """Return whether a team may use a pool; None: pods of no team."""
    return not pool.teams or team in pool.teams


def beyond_quotas(spec: EnvironmentSpec) -> Iterator[str]:
    """Yield what a team's quota refuses: pods that answer, at their most replicas, and those of nobody's team."""
    for at, team in enumerate(spec.teams):
        held = {one.name: _held(one) for one in spec.systems if one.team == team.name and _held(one)}
        if (total := sum(held.values())) > team.gpu_quota:
            each = ", ".join(f"{name} {count}" for name, count in held.items())
            got = f"teams[{at}].gpu_quota: got {team.gpu_quota}"
            yield f"{got}; its systems may hold {each}, so allowed: {total} or more"
    yield from _of_no_team(spec)


def _of_no_team(spec: EnvironmentSpec) -> Iterator[str]:
    for at, system in enumerate(spec.systems):
        if system.team is None and (asked := system.serving.resources.gpu):
            yield (
                f"systems[{at}].serving.resources.gpu: got {asked}; a namespace without a team has no GPUs, so "
                "allowed: 0; or give the system a team with a gpu_quota"
            )


def beyond_nodes(spec: EnvironmentSpec) -> Iterator[str]:
    """Yield what no node of a pool has: a pod takes its GPUs from one."""
    if not spec.teams:
        yield from _of_no_team(spec)
    for at, system in enumerate(spec.systems):
        asked, named = system.serving.resources.gpu, system.serving.resources.pool
        pools = [one for one in spec.gpu_pools if named in {None, one.name} and is_for(one, system.team)]
        most = max(map(_for_one_pod, pools), default=0)
        if asked > most and pools:
            yield (
                f"systems[{at}].serving.resources.gpu: got {asked}; a node of {named or 'any pool'} has {most} for one "
                f"pod, so allowed: {most} or fewer; or raise gpus_per_node"
            )


def _held(system: SystemSpec) -> int:
    """Return how many GPUs a system's pods hold at most as long as it answers."""
    serving = system.serving
    return serving.resources.gpu * serving.replicas.max if serving.mode is ServingMode.REALTIME else 0


def _for_one_pod(pool: GpuPoolSpec) -> int:
    # Of a GPU that pods take turns on, no pod gets a second turn.
    return 1 if pool.sharing is not None and pool.sharing.time_slices else pool.gpus_offered
