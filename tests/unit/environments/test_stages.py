"""The stage table: what it must hold to be the one place where stages are decided."""

from itertools import pairwise

import pytest

from mlstrata.environments import Capability, EnvironmentSpec, Stage
from mlstrata.environments.stages import ENTRIES, TABLE, added_by, capabilities_of, missing_needs, stage_of

CROSS_STAGE = {"gpu_pools", "teams", "secrets", "network_policy", "encryption", "backup", "cost", "portal"}


def spec(stage: Stage, **parts: object) -> EnvironmentSpec:
    return EnvironmentSpec.model_validate({"name": "prod", "target": {"kind": "local"}, "stage": stage, **parts})


def test_every_capability_has_one_row_and_a_reason() -> None:
    assert len(TABLE) == len(ENTRIES) == len(Capability)
    for entry in TABLE:
        assert entry.reason.endswith(".")
        assert len(entry.reason) > 30
    assert len({entry.reason for entry in TABLE}) == len(TABLE)


def test_moving_up_only_adds() -> None:
    for lower, higher in pairwise(Stage):
        assert capabilities_of(lower) < capabilities_of(higher)
        assert capabilities_of(higher) == capabilities_of(lower) | set(added_by(higher))
        assert not capabilities_of(lower) & set(added_by(higher))


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_has_all_that_its_capabilities_need(stage: Stage) -> None:
    assert missing_needs(capabilities_of(stage)) == []


def test_needs_come_no_later_than_who_needs_them() -> None:
    for entry in TABLE:
        for needed in entry.needs:
            there = stage_of(needed)
            assert there is not None
            assert entry.stage is None or there.rank <= entry.stage.rank


def test_no_capability_needs_itself_by_detours() -> None:
    def reach(capability: Capability, seen: tuple[Capability, ...] = ()) -> None:
        assert capability not in seen
        for needed in ENTRIES[capability].needs:
            reach(needed, (*seen, capability))

    for capability in Capability:
        reach(capability)


def test_what_each_stage_is_for() -> None:
    assert Capability.REGISTRY in added_by(Stage.PREREQUISITES)
    assert Capability.ALERTS in added_by(Stage.PREREQUISITES)
    assert Capability.PIPELINES in added_by(Stage.FOUNDATION)
    assert Capability.RECORDING in added_by(Stage.SCALE)
    assert Capability.RETRAINING in added_by(Stage.MATURE)
    assert {entry.capability for entry in TABLE if entry.stage is None} == CROSS_STAGE


def test_what_is_declared_brings_its_capability() -> None:
    bare = spec(Stage.FOUNDATION)
    assert not bare.capabilities & {Capability.TEAMS, Capability.GPU_POOLS}
    full = spec(
        Stage.FOUNDATION, teams=[{"name": "lending"}], gpu_pools=[{"name": "train", "accelerator": "nvidia-l4"}]
    )
    assert full.capabilities - bare.capabilities == {Capability.TEAMS, Capability.GPU_POOLS}


def test_switches_add_and_take_away() -> None:
    switched = spec(Stage.SCALE, capabilities={"on": ["backup", "retraining"], "off": ["fairness", "batch"]})
    own = capabilities_of(Stage.SCALE)
    assert switched.capabilities - own == {Capability.BACKUP, Capability.RETRAINING}
    assert own - switched.capabilities == {Capability.FAIRNESS, Capability.BATCH}


def test_an_environment_higher_up_has_all_it_had() -> None:
    for lower, higher in pairwise(Stage):
        assert spec(lower).capabilities < spec(higher).capabilities
