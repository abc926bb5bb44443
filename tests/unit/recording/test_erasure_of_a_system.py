"""What was recorded of a system that is declared no more goes, as far as the law lets it, and nothing else does."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from mlstrata.operations.erasure import left_behind
from mlstrata.operations.erasure_recorded import erase_recorded
from mlstrata.operations.errors import Failed
from mlstrata.services.recording.names import DATABASE
from mlstrata.services.recording.settings import HOLD_SECONDS
from mlstrata.services.recording.spill import Spill
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.store import Erasure, Feedback, Queue
from mlstrata.services.serving.folders import spill_folder
from tests.support.recording import record

NOW = datetime(2027, 6, 1, tzinfo=UTC)
LATE, OLD = NOW.timestamp() - 60, NOW.timestamp() - HOLD_SECONDS - 60
EVER = {"since": 0.0, "until": 1e10}


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path, shares={"credit": 1.0, "fraud": 1.0}, clock=NOW.timestamp)
    yield opened
    opened.close()


def spilt(home, *records):
    spill = Spill(spill_folder(home, "credit", "serving-credit"), wait_s=0.0)
    for one in records:
        spill.append(one if isinstance(one, bytes) else one.to_bytes()).result()
    spill.close()


def test_what_the_law_has_kept_is_held_and_goes_by_itself(store, tmp_path):
    store.add([record("old", at=OLD), record("late", at=LATE), record("other", at=OLD, system="fraud")])
    store.tell([Feedback(name, LATE, truth="yes", groups={"sex": "f"}) for name in ("old", "other")])
    spilt(tmp_path, record("spilt", at=LATE + 1), b"no record", record("spilt-old", at=OLD))
    done = erase_recorded(tmp_path, "credit", NOW)
    assert done == Erasure(2, 2, LATE + 1 + HOLD_SECONDS)
    assert list(store.window("credit", **EVER)) == []
    assert store.waiting(Queue.LABELLING, "credit", 10) == []
    (other,) = store.window("fraud", **EVER, groups=True)
    assert (other.record.id, other.feedback.truth, other.feedback.groups) == ("other", "yes", {"sex": "f"})
    assert [bool(store.find(name)) for name in ("old", "spilt-old", "late", "spilt")] == [False, False, True, True]
    assert store.finish_erasures(LATE + HOLD_SECONDS, forget=1.0) == 1
    assert store.finish_erasures(LATE + HOLD_SECONDS + 1, forget=1.0) == 1
    assert [one.record.id for one in store.window("fraud", **EVER)] == ["other"]


def test_a_system_of_that_name_that_comes_later_is_another(store, tmp_path):
    erase_recorded(tmp_path, "credit", NOW)
    store.add([record("before", at=LATE), record("after", at=NOW.timestamp() + 1)])
    assert [one.record.id for one in store.window("credit", **EVER)] == ["after"]


def test_where_nothing_was_recorded_no_store_is_made(tmp_path):
    assert erase_recorded(tmp_path, "credit", NOW) == Erasure(0)
    assert not (tmp_path / DATABASE).exists()


def test_a_spill_that_a_process_has_is_not_taken_from_it(tmp_path):
    spill = Spill(spill_folder(tmp_path, "credit", "serving-credit"), wait_s=0.0)
    with pytest.raises(Failed, match="another process has it; run this again"):
        erase_recorded(tmp_path, "credit", NOW)
    spill.close()


@pytest.mark.parametrize("of", ["monitor", "learning", "serving"])
def test_what_watched_it_and_what_it_learnt_from_is_left_behind_too(tmp_path, of):
    (tmp_path / "data" / of / "gone").mkdir(parents=True)
    spec = SimpleNamespace(systems=[])
    assert left_behind(SimpleNamespace(home=tmp_path, spec=spec)) == ("gone",)
