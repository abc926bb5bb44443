"""What only the embedded store promises: its files, what lies in which, and what threads and a full disk do to it."""

import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlstrata.services.recording.names import DATABASE, GROUPS, PROTECTED
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.store import Feedback, StoreFullError, StoreUnreadableError
from tests.support.recording import record

EVER = {"since": 0.0, "until": 1e9}


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def mode(path):
    return path.stat().st_mode & 0o777


def test_only_the_owner_may_look(store, tmp_path):
    store.add([record()])
    store.tell([Feedback("r-1", 1.0, groups={"sex": "f"})])
    files = [one for folder in (tmp_path / DATABASE, tmp_path / GROUPS) for one in folder.parent.glob("*.db*")]
    assert {one.name for one in files} >= {"predictions.db", "predictions.db-wal", "groups.db", "groups.db-wal"}
    assert {mode(one) for one in files} == {0o600}
    assert {mode(folder) for folder in ((tmp_path / DATABASE).parent, tmp_path / PROTECTED)} == {0o700}


def test_protected_attributes_are_made_and_opened_by_who_asks_for_them_alone(store, tmp_path):
    store.add([record()])
    store.tell([Feedback("r-1", 1.0, truth="yes")])
    assert [one.feedback.truth for one in store.window("credit", **EVER, groups=True)] == ["yes"]
    assert not (tmp_path / PROTECTED).exists()
    store.tell([Feedback("r-1", 2.0, groups={"sex": "f-only-here"})])
    assert b"f-only-here" not in b"".join(one.read_bytes() for one in (tmp_path / DATABASE).parent.glob("*.db*"))
    store.close()
    # Damaged, so whoever opened it would fail.
    for one in (tmp_path / PROTECTED).iterdir():
        one.write_bytes(b"no database, and longer than the header of one" * 10)
    reader = open_store(tmp_path, read_only=True)
    assert [one.feedback.groups for one in reader.window("credit", **EVER)] == [{}]
    with pytest.raises(StoreUnreadableError, match=r"groups\.db: cannot be opened"):
        list(reader.window("credit", **EVER, groups=True))
    reader.close()


def test_what_is_erased_is_in_no_file_any_more(store, tmp_path):
    subject = "5f" * 16
    rows = [
        record(f"r-{number}", subject=subject if number % 2 else "", consumer=f"mark-{number % 2}")
        for number in range(50)
    ]
    store.add(rows)
    store.tell([Feedback("r-1", 1.0, truth="mark-truth", groups={"sex": "mark-group"})])

    def found(mark):
        return any(mark in one.read_bytes() for one in (tmp_path / DATABASE).parent.rglob("*.db*"))

    assert all(map(found, (b"mark-1", b"mark-truth", b"mark-group")))
    assert store.erase(system="credit", subject=subject, asked=200.0).erased == 25
    assert not any(map(found, (b"mark-1", b"mark-truth", b"mark-group")))
    assert found(b"mark-0")


def test_what_was_pruned_is_given_back_to_the_disk(store):
    store.add([record(f"r-{number}", rows=20, at=float(number)) for number in range(2000)])
    store.shrink()
    full = store.size()
    assert store.prune("credit", 1990.0) == 1990
    store.shrink()
    assert store.size() < full / 4
    assert len(list(store.window("credit", **EVER))) == 200


def test_a_full_disk_keeps_nothing_of_a_batch_and_takes_it_later(store):
    store.add([record("r-0")])
    pages = store._db._writer.execute("PRAGMA page_count").fetchone()[0]
    store._db._writer.execute(f"PRAGMA max_page_count={pages + 4}")
    batch = [record(f"r-{number}", rows=10) for number in range(1, 200)]
    for _ in range(2):
        with pytest.raises(StoreFullError, match="the disk is full; make room, nothing is lost"):
            store.add(batch)
    assert [one.record.id for one in store.window("credit", **EVER)] == ["r-0"]
    assert [one.recorded for one in store.counts()] == [1]
    store._db._writer.execute("PRAGMA max_page_count=1000000")
    assert store.add(batch) == 199


def test_threads_that_send_the_same_keep_each_record_once(store):
    batches = [[record(f"r-{number}") for number in range(first, first + 20)] for first in range(0, 200, 10)]

    def work(batch):
        new = store.add(batch)
        store.tell([Feedback(one.id, 1.0, truth="yes") for one in batch])
        assert len(list(store.window("credit", **EVER))) >= len(batch)
        return new

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, batches * 2)) == 210
    rows = list(store.window("credit", **EVER))
    assert len(rows) == 210
    assert {one.feedback.truth for one in rows} == {"yes"}


WRITES = """
import sys
from pathlib import Path
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.record import Record
store = open_store(Path(sys.argv[1]))
rows = [{"inputs": {}, "output": {}}]
known = {"version": "1", "system": "credit", "at": 1, "status": 200, "ms": 1, "instances": rows}
number = 0
while True:
    store.add([Record(id=f"r-{number}-{row}", **known) for row in range(3)])
    print(number, flush=True)
    number += 1
"""


def test_what_was_answered_survives_the_kill_of_its_process(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", WRITES, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if int(line) == 40:
            process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    store = open_store(tmp_path)
    rows = [one.record.id for one in store.window("credit", **EVER)]
    store.close()
    assert len(rows) % 3 == 0, "half a batch is there"
    assert len(rows) >= 41 * 3


def test_a_reader_writes_nothing_and_sees_what_is_committed(store, tmp_path):
    reader = open_store(tmp_path, read_only=True)
    store.add([record()])
    assert [one.record.id for one in reader.window("credit", **EVER)] == ["r-1"]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.add([record("r-2")])
    reader.close()


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_store(tmp_path, read_only=True)
    path = tmp_path / DATABASE
    path.parent.mkdir(parents=True)
    path.write_bytes(b"some text that is long enough to be no header of a database" * 3)
    with pytest.raises(StoreUnreadableError, match=r"predictions\.db: cannot be opened as a store of predictions"):
        open_store(tmp_path)
    path.unlink()
    sqlite3.connect(path).execute("PRAGMA user_version=99").connection.close()
    with pytest.raises(StoreUnreadableError, match="has version 99; this program knows up to 3: use the newer one"):
        open_store(tmp_path)


def test_what_was_removed_is_not_missing_until_nobody_asks_for_it(tmp_path):
    now = 1e6
    store = open_store(tmp_path, clock=lambda: now)
    store.add([record("old", at=now - 100_000), record("r-1", at=now - 10), record("r-2", at=now - 10, subject="anna")])
    store.erase(system="credit", subject="anna", asked=now)
    store.add([record("r-3", at=now - 5, subject="anna")])
    assert store.prune("credit", now) == 2
    asked = {"old", "r-1", "r-2", "r-3", "never"}
    assert store.missing(asked) == {"old", "never"}, "what is older than anybody asks for is not noted"
    store.finish_erasures(now + 80_000, forget=1e9)
    assert store.missing(asked) == {"old", "never"}
    store.finish_erasures(now + 100_000, forget=1e9)
    assert store.missing(asked) == asked
    store.close()


def test_a_store_of_the_version_before_is_brought_up_to_date(tmp_path):
    store = open_store(tmp_path, clock=lambda: 200.0)
    store.add([record("r-1"), record("r-2")])
    store.close()
    db = sqlite3.connect(tmp_path / DATABASE)
    db.executescript("DROP TABLE removed; DROP TABLE tellings; PRAGMA user_version=1")
    db.close()
    reader = open_store(tmp_path, read_only=True)
    with pytest.raises(StoreUnreadableError, match="made by an older recorder; `mlstrata up` starts"):
        reader.news("credit", None, since=0.0, versions=("1",))
    reader.close()
    store = open_store(tmp_path, clock=lambda: 200.0)
    assert store.missing({"r-1", "r-3"}) == {"r-3"}
    store.prune("credit", 300.0)
    assert store.missing({"r-1", "r-3"}) == {"r-3"}
    store.close()
    db = sqlite3.connect(tmp_path / DATABASE)
    assert db.execute("PRAGMA user_version").fetchone() == (3,)
    db.close()
