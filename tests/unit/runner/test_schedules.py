"""Schedules start runs when it is time, by a clock that the tests hold in their hands."""

from datetime import UTC, datetime

import pytest

from tests.support.patience import eventually

MONDAY = datetime(2026, 11, 23, 2, 59, tzinfo=UTC).timestamp()


@pytest.fixture
def store(tmp_path):
    from mlstrata.services.runner.store import Store

    store = Store(tmp_path / "r.db")
    yield store
    store.close()


def due(store, now, cron="0 3 * * 1"):
    from mlstrata.services.runner.schedules import StoreMemory
    from mlstrata.services.scheduling import Member, tick

    return tick([Member("training", cron, StoreMemory(store, "system-fine"), lambda: None)], now) == ["training"]


def test_due_once_when_its_time_comes(store):
    looks = [due(store, MONDAY + seconds) for seconds in (0, 30, 60, 61, 3600, 7 * 86400 + 59, 7 * 86400 + 60)]
    assert looks == [False, False, True, False, False, False, True]


def test_a_time_missed_while_off_is_made_up_for_once(store):
    assert not due(store, MONDAY, "*/5 * * * *")
    assert due(store, MONDAY + 86400, "*/5 * * * *")
    assert not due(store, MONDAY + 86401, "*/5 * * * *")


def test_a_new_time_starts_from_now(store):
    assert not due(store, MONDAY)
    assert not due(store, MONDAY, "0 2 * * 1")


def test_bad_times_are_named(tmp_path, make_request):
    from mlstrata.services.runner.contract import RunnerSettings

    with pytest.raises(ValueError, match=r"system-fine: got cron '61 3 \* \* 1'; allowed five fields"):
        RunnerSettings.model_validate(
            {
                "port": 0, "database": tmp_path / "r.db", "logs": tmp_path, "token_file": tmp_path / "t",
                "requests": [make_request()], "schedules": [{"system": "system-fine", "cron": "61 3 * * 1"}],
            }
        )  # fmt: skip


def test_a_schedule_that_fails_stops_no_other(store, make_request, tmp_path, caplog):
    from mlstrata.services.runner.contract import RunnerSettings
    from mlstrata.services.runner.runs import Runs
    from mlstrata.services.runner.schedules import Scheduler

    names, now = ("system-fine", "system-other"), [MONDAY]
    settings = RunnerSettings.model_validate(
        {
            "port": 0, "database": tmp_path / "r.db", "logs": tmp_path, "token_file": tmp_path / "t",
            "requests": [make_request() | {"system": name} for name in names],
            "schedules": [{"system": name, "cron": "0 3 * * 1"} for name in names],
        }
    )  # fmt: skip
    runs = Runs(store, tmp_path, clock=lambda: now[0])
    scheduler = Scheduler(settings, runs, lambda: now[0])
    assert scheduler.tick() == []
    now[0] += 60
    active = store.active
    store.active = lambda system: 1 / 0 if system == names[0] else active(system)
    (run,) = scheduler.tick()
    assert store.get(run).system == names[1]
    assert [record.message.split(" was ")[0] for record in caplog.records] == [f"the training of {names[0]}"]
    store.active = active
    (run,) = scheduler.tick()
    assert store.get(run).system == names[0], "it is due still"


def test_ticks_submit_and_do_not_pile_up(store, make_request, tmp_path):
    from mlstrata.services.runner.contract import RunnerSettings
    from mlstrata.services.runner.runs import Runs
    from mlstrata.services.runner.schedules import Scheduler

    now = [MONDAY]
    settings = RunnerSettings.model_validate(
        {
            "port": 0, "database": tmp_path / "r.db", "logs": tmp_path, "token_file": tmp_path / "t",
            "requests": [make_request()], "schedules": [{"system": "system-fine", "cron": "* * * * *"}],
        }
    )  # fmt: skip
    runs = Runs(store, tmp_path, clock=lambda: now[0])
    scheduler = Scheduler(settings, runs, lambda: now[0])
    assert scheduler.tick() == []
    now[0] += 60
    (run,) = scheduler.tick()
    assert store.get(run).trigger == "schedule"
    now[0] += 60
    assert scheduler.tick() == []  # the first still waits
    store.end(run, store.get(run).state.SUCCEEDED, now[0])
    now[0] += 60
    assert len(scheduler.tick()) == 1


def test_a_scheduled_run_runs(serve, make_request):
    now = [MONDAY]
    first = serve(requests=[make_request()], clock=lambda: now[0])
    first.stop()
    now[0] = MONDAY
    client = serve(
        requests=[make_request()], schedules=[{"system": "system-fine", "cron": "0 3 * * 1"}], clock=lambda: now[0]
    )
    client.stop()  # it has looked at the clock once
    now[0] += 3600
    client = serve(
        requests=[make_request()], schedules=[{"system": "system-fine", "cron": "0 3 * * 1"}], clock=lambda: now[0]
    )
    eventually(lambda: client("GET", "/runs")[1]["runs"])
    (run,) = client("GET", "/runs")[1]["runs"]
    assert client.wait(run["id"])["trigger"] == "schedule"
    assert client.wait(run["id"])["state"] == "succeeded"


def test_prometheus_is_told_whether_the_newest_run_by_schedule_failed(store, make_request):
    from mlstrata.services.alerts.rules import TRAINING_FAILED
    from mlstrata.services.runner.contract import State, TrainingRequest
    from mlstrata.services.runner.metrics import exposition

    request = TrainingRequest.model_validate(make_request())

    def told():
        lines = exposition(store).decode().splitlines()
        return [line for line in lines if line.startswith(f"{TRAINING_FAILED}{{")]

    ends = [("schedule", State.FAILED), ("request", State.SUCCEEDED), ("schedule", State.CANCELLED)]
    assert told() == []
    for number, (trigger, state) in enumerate([*ends, ("schedule", State.SUCCEEDED)]):
        store.add(f"r{number}", request, trigger, MONDAY + number)
        store.start(f"r{number}", MONDAY + number)
        store.end(f"r{number}", state, MONDAY + number + 0.5)
        # What a person asked for or took back says nothing of the schedule.
        assert told() == [f'{TRAINING_FAILED}{{system="system-fine"}} {0.0 if number == 3 else 1.0}']


@pytest.mark.parametrize(
    "noted",
    [
        "",
        "[]",
        "3",
        '{"cron": "0 3 * * 1"}',
        *(f'{{"cron": "0 3 * * 1", "at": {at}}}' for at in ("NaN", "1e300", "-1", '"soon"', "[1]")),
    ],
)
def test_a_memory_that_is_none_is_new_and_comes_due_again(tmp_path, noted):
    from mlstrata.services.scheduling import FileMemory, Member, tick

    (tmp_path / "seen.json").write_text(noted, encoding="utf-8")
    done: list[str] = []
    members = [
        Member(name, "0 3 * * 1", FileMemory(tmp_path / file), lambda name=name: done.append(name))
        for name, file in (("torn", "seen.json"), ("whole", "other.json"))
    ]
    for seconds in (0, 30, 61):
        tick(members, MONDAY + seconds)
    assert done == ["torn", "whole"]


def test_what_a_clock_noted_that_was_ahead_keeps_nothing_from_being_due(store):
    assert not due(store, MONDAY + 365 * 86400)
    assert not due(store, MONDAY)
    assert due(store, MONDAY + 61)


def test_a_run_that_cannot_be_read_hides_no_other(store, make_request, caplog):
    from mlstrata.services.runner.contract import TrainingRequest

    request = TrainingRequest.model_validate(make_request())
    for name in ("one", "two", "three"):
        store.add(name, request, "request", 1.0)
    store._db.execute("UPDATE runs SET result = '[' WHERE id = 'two'")
    assert [run.id for run in store.find()] == ["three", "one"]
    assert "run two cannot be read" in caplog.text
