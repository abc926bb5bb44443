"""A spill whose process never comes back is taken in, once, and one that a process has is left to it."""

import os
import time

import pytest

from mlstrata.services.recording.adoption import QUIET_SECONDS, adopt, quiet
from mlstrata.services.recording.record import Instance, Record
from mlstrata.services.recording.segments import SUFFIX
from mlstrata.services.recording.spill import Spill
from mlstrata.services.recording.sqlite import open_store


def record(number):
    rows = (Instance(inputs={"income": number}, output={"probability": 0.5, "label": 1}),)
    return Record(id=f"r{number}", at=1e9 + number, system="loans", version="1", status=200, ms=2.0, instances=rows)


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def store(home):
    opened = open_store(home)
    yield opened
    opened.close()


def left_behind(home, copy, numbers):
    folder = home / "data/serving/loans/spill" / copy
    spill = Spill(folder, wait_s=0.0)
    for number in numbers:
        spill.append(record(number).to_bytes()).result()
    return folder, spill


def kept(store):
    return [one.record.id for one in store.window("loans", since=0, until=2e9)]


def test_what_a_gone_copy_left_is_taken_in_once(home, store):
    folder, spill = left_behind(home, "serving-2-loans", range(1200))
    spill.close()
    store.add([record(7)])
    assert adopt(folder, store) == 1200
    assert kept(store) == [f"r{number}" for number in range(1200)]
    assert adopt(folder, store) == 0
    assert not list(folder.glob(f"*{SUFFIX}"))


def test_what_was_committed_before_is_removed_too(home, store):
    folder, spill = left_behind(home, "serving-2-loans", [1])
    batch = spill.read()
    store.add([record(1)])
    spill.trim(batch.upto)
    spill.close()
    assert list(folder.glob(f"*{SUFFIX}"))
    assert adopt(folder, store) == 0
    assert not list(folder.glob(f"*{SUFFIX}"))


def test_a_spill_that_a_process_has_is_left_to_it(home, store):
    folder, spill = left_behind(home, "serving-loans", range(3))
    assert adopt(folder, store) == 0
    assert kept(store) == []
    assert spill.pending == 3
    spill.close()


def test_what_the_store_did_not_commit_stays(home, store, monkeypatch):
    folder, spill = left_behind(home, "serving-2-loans", range(3))
    spill.close()

    def full(_records):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(store), "add", lambda _self, records: full(records))
    with pytest.raises(OSError, match="No space"):
        adopt(folder, store)
    monkeypatch.undo()
    assert adopt(folder, store) == 3


def test_what_is_no_record_is_kept_beside_and_stops_no_other(home, store):
    folder, spill = left_behind(home, "serving-2-loans", [1])
    spill.append(b'{"of": "another release"}').result()
    spill.append(record(2).to_bytes()).result()
    spill.close()
    assert adopt(folder, store) == 2
    assert (folder / "refused.jsonl").read_bytes() == b'{"of": "another release"}\n'


def test_only_spills_that_rest_are_looked_at(home):
    folder, spill = left_behind(home, "serving-2-loans", [1])
    spill.close()
    (home / "data/serving/loans/spill/empty").mkdir()
    now = time.time()
    assert list(quiet(home, now)) == []
    for one in folder.glob(f"*{SUFFIX}"):
        os.utime(one, (now - 2 * QUIET_SECONDS, now - 2 * QUIET_SECONDS))
    assert list(quiet(home, now)) == [folder]
