"""What only the store in Postgres promises: days of their own, one writer at a time, and a server that is lost."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from mlstrata.services.recording import distributed
from mlstrata.services.recording.address import Address
from mlstrata.services.recording.postgres import DAY, PostgresDatabase
from mlstrata.services.recording.store import (
    Feedback,
    Queue,
    StoreAwayError,
    StoreFullError,
    StoreRefusedError,
    StoreUnreadableError,
)
from tests.support.recording import record

EVER = {"since": 0.0, "until": 1e12}


@pytest.fixture(scope="module")
def address(postgres):
    return postgres.address()


@pytest.fixture
def store(address):
    with closing(distributed.open_store(address, shares={"credit": 1.0})) as opened:
        yield opened
        opened.erase_system(system="credit", asked=1e13)
        opened.finish_erasures(1e14, forget=0.0)


def days(store):
    return {row[0] for row in store._db.read("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")}


def test_each_day_has_a_table_that_goes_with_its_last_record(store):
    store.add([record(f"r-{day}", at=day * DAY + 5.0) for day in (3, 4, 4_000_000)])
    assert days(store) == {"bodies_3", "bodies_4", "bodies_other"}
    assert store.prune("credit", 4 * DAY) == 1
    store.shrink()
    assert days(store) == {"bodies_4", "bodies_other"}
    # Late, of a day whose table is gone.
    assert store.add([record("late", at=3 * DAY + 1.0)]) == 1
    assert [one.record.id for one in store.window("credit", **EVER)] == ["late", "r-4", "r-4000000"]


def test_room_is_given_back(store):
    store.add([record(f"r-{number}", rows=20, at=float(number)) for number in range(200)])
    full = store.size()
    assert store.prune("credit", 199.0) == 199
    store.add([record("kept", at=2.0 * DAY)])
    store.prune("credit", 2.0 * DAY)
    store.shrink()
    assert store.size() < full - 200_000
    assert [one.record.id for one in store.window("credit", **EVER)] == ["kept"]


def test_processes_that_send_the_same_keep_each_record_once(store, address):
    batches = [[record(f"r-{number}") for number in range(first, first + 20)] for first in range(0, 100, 10)]

    def work(batch):
        with closing(distributed.open_store(address, shares={"credit": 1.0})) as own:
            new = own.add(batch)
            own.tell([Feedback(one.id, 1.0, truth="yes") for one in batch[:5]])
            return new

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, batches * 2)) == 110
    assert [one.recorded - one.removed for one in store.counts()] == [110]
    assert len(list(store.window("credit", **EVER))) == 110
    assert store.lengths() == {(Queue.LABELLING, "credit"): 110 - 50}


def test_many_who_ask_at_once_take_few_connections(store, address):
    store.add([record()])
    with closing(distributed.open_store(address, read_only=True)) as reader, ThreadPoolExecutor(40) as pool:
        found = list(pool.map(lambda _: (reader.counts(), len(reader._db._idle)), range(200)))
    assert {len(counts) for counts, _ in found} == {1}
    assert max(idle for _, idle in found) <= 8


def test_a_reader_writes_nothing_and_sees_no_groups_that_it_does_not_ask_for(store, address):
    store.add([record()])
    store.tell([Feedback("r-1", 1.0, truth="yes", groups={"sex": "f"})])
    with closing(distributed.open_store(address, read_only=True)) as reader:
        assert [one.feedback.groups for one in reader.window("credit", **EVER)] == [{}]
        assert [one.feedback.groups for one in reader.window("credit", **EVER, groups=True)] == [{"sex": "f"}]
        for write in (lambda: reader.add([record("r-2")]), lambda: reader.tell([Feedback("r-1", 2.0, truth="no")])):
            with pytest.raises(StoreAwayError, match="read-only transaction"):
                write()
        (found,) = store._db.read("SELECT count(*) FROM protected.groups")
        assert found == (1,)


def test_where_nothing_was_recorded_a_reader_makes_nothing(postgres):
    empty = postgres.address()
    with pytest.raises(FileNotFoundError, match="there is no schema predictions yet"):
        distributed.open_store(empty, read_only=True)
    with closing(distributed.open_store(empty)), closing(distributed.open_store(empty)) as again:
        assert again.counts() == []


def test_one_of_a_newer_program_is_refused(postgres):
    newer = postgres.address()
    PostgresDatabase(newer, "predictions", "CREATE TABLE layout (version INTEGER NOT NULL)", 99).close()
    with pytest.raises(StoreUnreadableError, match="schema predictions has version 99; this program knows up to 1"):
        distributed.open_store(newer)


def test_a_full_disk_and_what_no_table_holds_keep_nothing(store):
    full = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"

    def fill():
        with store._db.writing() as db:
            db.execute("INSERT INTO removed VALUES ('r-9', 1)")
            db.execute(full)

    with pytest.raises(StoreFullError, match="its disk is full; make room, nothing is lost"):
        fill()
    assert store.missing({"r-9"}) == {"r-9"}
    with pytest.raises(StoreRefusedError):
        store.add([record("r-1"), record("r-2", version="a\0b")])
    assert store.add([record("r-1")]) == 1


def test_a_server_that_is_gone_is_said_and_what_it_answered_is_there_when_it_is_back(postgres, store, address):
    assert store.add([record("r-1")]) == 1
    postgres.server.end()
    for ask in (lambda: store.add([record("r-2")]), store.counts, lambda: list(store.window("credit", **EVER))):
        with pytest.raises(StoreAwayError, match=rf"postgresql://127.0.0.1:{address.port}/{address.database}: "):
            ask()
    postgres.server.start()
    assert store.add([record("r-1"), record("r-2")]) == 1
    assert [one.record.id for one in store.window("credit", **EVER)] == ["r-1", "r-2"]


def test_a_password_is_in_no_message():
    address = Address.parse("postgresql://anna:s%3Acret@db.example.com/mlflow?sslmode=require", "recorder")
    assert (address.user, address.password, address.port, address.secured) == ("anna", "s:cret", 5432, True)
    assert str(address) == "postgresql://db.example.com:5432/recorder"
    assert "cret" not in repr(address)
    with pytest.raises(StoreAwayError, match="does not answer") as error:
        distributed.open_store(replace(address, host="127.0.0.1", port=1))
    assert "cret" not in str(error.value)


@pytest.mark.parametrize("uri", ["mysql://a:secret@h/d", "postgresql://h/d", "postgresql://a:secret@h:x/d", "secret"])
def test_what_is_no_address_is_refused_without_its_password(uri):
    with pytest.raises(ValueError, match="the database's address") as error:
        Address.parse(uri)
    assert "secret" not in str(error.value)
