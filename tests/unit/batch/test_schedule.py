"""A batch system is scored when it is time: once for each time, however often the clock was missed."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from mlstrata.services.alerts.rules import SCORING_FAILED
from mlstrata.services.batch.schedule import RUNS, member, metrics, run_job, tick
from mlstrata.services.batch.settings import BatchSettings, BatchSystem, ScoringJob
from mlstrata.services.scheduling import is_due


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def system(folder: Path, cron: str = "0 3 * * *") -> BatchSystem:
    return BatchSystem(
        cron=cron,
        job=ScoringJob(system="nightly", directory=folder / "serving", workdir=folder / "batch", input="in.csv"),
    )


def test_it_runs_once_at_its_time_and_once_for_all_that_were_missed(tmp_path):
    settings, ran = BatchSettings(port=1, systems=(system(tmp_path),)), []

    def run(job, _folder):
        ran.append(job.system)
        return {"error": None}

    for now, count in [
        ("2026-11-21T02:00", 0),
        ("2026-11-21T02:59", 0),
        ("2026-11-21T03:00", 1),
        ("2026-11-21T03:01", 1),
        ("2026-11-22T02:59", 1),
        ("2026-11-25T12:00", 2),
        ("2026-11-25T12:01", 2),
        ("2026-11-26T03:00:05", 3),
    ]:
        tick(settings, at(now), run)
        assert len(ran) == count, now
    assert len((tmp_path / "batch" / RUNS).read_text().splitlines()) == 3


def test_a_job_that_was_cut_off_is_due_again(tmp_path):
    settings = BatchSettings(port=1, systems=(system(tmp_path),))
    tick(settings, at("2026-11-21T02:00"), lambda *_: {"error": None})

    def killed(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tick(settings, at("2026-11-21T03:00"), killed)
    assert tick(settings, at("2026-11-21T03:05"), lambda *_: {"error": None}) == ["nightly"]


def test_what_keeps_one_system_from_being_scored_keeps_no_other(tmp_path, caplog):
    (tmp_path / "first").mkdir()
    first, second = system(tmp_path / "first"), system(tmp_path / "second")
    settings = BatchSettings(port=1, systems=(first, second))
    tick(settings, at("2026-11-21T02:00"), lambda *_: {"error": None})

    def run(job, folder):
        if "first" in folder.parts:
            raise PermissionError("this folder is somebody else's")
        return {"error": None}

    for now in ("2026-11-21T03:00", "2026-11-22T03:00"):
        assert tick(settings, at(now), run) == ["nightly"]
    assert len((tmp_path / "second/batch" / RUNS).read_text().splitlines()) == 2
    assert [record.message for record in caplog.records] == ["nightly was not started; the next round tries again"] * 2
    assert tick(settings, at("2026-11-22T03:05"), lambda *_: {"error": None}) == ["nightly"], "it is due still"


def test_another_time_counts_from_when_it_is_first_seen(tmp_path):
    def due(cron: str, now: str) -> bool:
        return is_due(member(system(tmp_path, cron), at(now)), at(now))

    assert not due("0 3 * * *", "2026-11-21T02:00")
    assert not due("0 5 * * *", "2026-11-21T09:00")
    assert not due("0 5 * * *", "2026-11-22T04:00")
    assert due("0 5 * * *", "2026-11-22T05:00")


def test_a_job_that_fails_says_why(tmp_path):
    (tmp_path / "batch").mkdir()
    answer = run_job(system(tmp_path).job, tmp_path / "batch")
    assert answer["error"] == "nightly has no released version; release one first"


def test_prometheus_is_told_whether_the_last_job_failed_also_after_a_restart(tmp_path):
    settings = BatchSettings(port=1, systems=(system(tmp_path),))

    def exposition() -> str:
        """Of a service that has just started."""
        return generate_latest(metrics(settings)[0]).decode()

    assert SCORING_FAILED + "{" not in exposition()
    tick(settings, at("2026-11-21T02:00"), lambda *_: {"error": None})
    for day, (error, shown) in enumerate([("no released version", 1), (None, 0), ("the input is gone", 1)], start=21):
        tick(settings, at(f"2026-11-{day}T03:00"), lambda *_, error=error: {"error": error})
        assert f'{SCORING_FAILED}{{system="nightly"}} {shown}.0\n' in exposition()
    with (tmp_path / "batch" / RUNS).open("a") as file:
        file.write('{"due_bef')
    assert SCORING_FAILED + "{" not in exposition()
    registry, jobs = metrics(settings)
    jobs.labels("nightly", "failed").inc(2)
    counted = 'mlstrata_batch_jobs_total{outcome="failed",system="nightly"} 2.0'
    assert counted in generate_latest(registry).decode()


def test_what_a_model_prints_is_none_of_the_jobs_words(tmp_path, monkeypatch, capfd):
    from mlstrata.services.batch import __main__ as program

    def talkative(_job):
        print("loading 3 of 7 shards")
        return 3

    settings = tmp_path / "job.json"
    settings.write_text(system(tmp_path).job.model_dump_json())
    monkeypatch.setattr(program, "attempt", talkative)
    monkeypatch.setattr("sys.argv", ["mlstrata.services.batch", "try", "--settings", str(settings)])
    assert program.main() == 0
    said = capfd.readouterr()
    assert json.loads(said.out) == {"result": {"predictions": 3}, "error": None}
    assert "loading 3 of 7 shards" in said.err
