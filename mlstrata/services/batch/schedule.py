"""Scores each system by its schedule: one job after the other, each in a process of its own."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mlstrata import worker
from mlstrata.services import scheduling
from mlstrata.services.alerts.rules import SCORING_FAILED
from mlstrata.services.batch.settings import BatchSettings, BatchSystem, ScoringJob
from mlstrata.services.http import LOOPBACK

RUNS = "runs.jsonl"
"""The scheduled jobs of a system, a line each, in its folder of the batch data."""
_SEEN = "schedule.json"
_LONGEST_LINE = 65_536

Run = Callable[[ScoringJob, Path], dict[str, Any]]


def member(system: BatchSystem, now: float, run: Run = lambda *_: {}) -> scheduling.Member:
    """Return a system's schedule: at its time `run` scores it, and a line says how that went."""
    job = system.job

    def start() -> None:
        job.workdir.mkdir(parents=True, exist_ok=True)
        answer = run(job, job.workdir)
        with (job.workdir / RUNS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"due_before": now, "ended": time.time(), **answer}) + "\n")

    return scheduling.Member(job.system, system.cron, scheduling.FileMemory(job.workdir / _SEEN), start)


def tick(settings: BatchSettings, now: float, run: Run) -> list[str]:
    """Score what is due; return the names of the systems that were scored, with success or not."""
    return scheduling.tick((member(system, now, run) for system in settings.systems), now)


def run_job(job: ScoringJob, folder: Path) -> dict[str, Any]:
    """Run a job in a process of its own, which ends with this one; return its result with `error`, null if none."""
    done = worker.run("mlstrata.services.batch", job, arguments=["score"], log=folder / "job.log")
    return {"error": done.error, **(done.value or {})}


def serve(settings: BatchSettings, wait: float = scheduling.TICK) -> None:
    """Score by schedule until told to stop; give the metrics on loopback meanwhile."""
    registry, jobs = metrics(settings)
    start_http_server(settings.port, LOOPBACK, registry)

    def counted(job: ScoringJob, folder: Path) -> dict[str, Any]:
        answer = run_job(job, folder)
        jobs.labels(job.system, "failed" if answer["error"] else "succeeded").inc()
        if answer["error"]:
            logging.getLogger(__name__).error("scoring by %s failed: %s", job.system, answer["error"])
        return answer

    while True:
        tick(settings, time.time(), counted)
        time.sleep(wait)


def metrics(settings: BatchSettings) -> tuple[CollectorRegistry, Counter]:
    """Return the metrics, and the counter of jobs since the start by `system` and `outcome`."""
    registry = CollectorRegistry()
    registry.register(_Failing(settings))
    labels = ("system", "outcome")
    jobs = Counter("mlstrata_batch_jobs", "Scheduled scoring jobs since the start.", labels, registry=registry)
    return registry, jobs


class _Failing(Collector):
    """Whether each system's last job failed, by its file: also of jobs before the start."""

    def __init__(self, settings: BatchSettings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        """Give the gauge, without the systems that were never scored."""
        failing = GaugeMetricFamily(SCORING_FAILED, "1 where a system's last job failed.", labels=("system",))
        for system in self._settings.systems:
            if (answer := _last(system.job.workdir / RUNS)) is not None:
                failing.add_metric((system.job.system,), int(bool(answer.get("error"))))
        yield failing


def _last(runs: Path) -> dict[str, Any] | None:
    """Return what the last job did; None where there was none yet, or its line was cut off by a full disk."""
    try:
        with runs.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE))
            found = json.loads(file.read().splitlines()[-1])
    except (OSError, IndexError, ValueError):
        return None
    return found if isinstance(found, dict) else None
