"""A batch system is scored when it is time: once for each time, however often the clock was missed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.batch.schedule import RUNS, due, run_job, tick
from services.batch.settings import BatchSettings, BatchSystem, ScoringJob

pytestmark = pytest.mark.env("runtime")


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


def test_another_time_counts_from_when_it_is_first_seen(tmp_path):
    assert not due(system(tmp_path), at("2026-11-21T02:00"))
    changed = system(tmp_path, "0 5 * * *")
    assert not due(changed, at("2026-11-21T09:00"))
    assert not due(changed, at("2026-11-22T04:00"))
    assert due(changed, at("2026-11-22T05:00"))


def test_a_job_that_fails_says_why(tmp_path):
    (tmp_path / "batch").mkdir()
    answer = run_job(system(tmp_path).job, tmp_path / "batch")
    assert answer["error"] == "nightly has no released version; release one first"
