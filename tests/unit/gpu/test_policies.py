"""What policies find in the planned pools of the shipped staging, and in the same with a mistake planted."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache

import pytest

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.policy_check import planned
from mlstrata.policies.adapters.embedded_graph import records
from mlstrata.policies.core.graph import Record
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.judge import judge

POOL, QUOTA = "gpu-train", "namespace-service-desk-quota"
OURS = ("gpu-limits-set", "gpu-quota-per-namespace", "gpu-idle-scale-to-zero", "gpu-pool-bounded")


@cache
def shipped() -> tuple[Record, ...]:
    return tuple(records(planned(Deployment.open("staging")).graph))


def found(given) -> Iterator[tuple[str, str]]:
    """Yield policy and subject of what of ours fails."""
    for one in judge(list(given), Deployment.open("staging").workspace, "staging").results:
        if one.rule.id in OURS and one.outcome is Outcome.FAIL:
            yield one.rule.id, one.subject


def without(name: str, *path: str) -> list[Record]:
    """Return the shipped resources with a part of one of them cut."""
    (one,) = [record for record in shipped() if record.name == name]
    inputs = deepcopy(dict(one.inputs))
    at = inputs
    for key in path[:-1]:
        at = at[key]
    del at[path[-1]]
    return [replace(one, inputs=inputs) if record is one else record for record in shipped()]


def test_the_shipped_pools_hold():
    assert any(one.name == POOL for one in shipped())
    assert not list(found(shipped()))


@pytest.mark.parametrize(
    ("name", "path", "policy"),
    [
        (POOL, ("spec", "limits"), "gpu-pool-bounded"),
        (POOL, ("spec", "disruption", "consolidateAfter"), "gpu-idle-scale-to-zero"),
        (QUOTA, ("spec", "hard", "requests.nvidia.com/gpu"), "gpu-quota-per-namespace"),
    ],
)
def test_a_planted_mistake_is_refused_by_name(name, path, policy):
    assert [one for one, _ in found(without(name, *path))] == [policy]
