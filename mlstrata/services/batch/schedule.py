"""Scores when it is time: a clock, one job after the other, each in a process of its own."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mlstrata import files, worker
from mlstrata.services.alerts.rules import SCORING_FAILED
from mlstrata.services.batch.settings import BatchSettings, BatchSystem, ScoringJob

TICK = 5.0
"""Seconds between two looks at the clock."""
RUNS = "runs.jsonl"
"""What the scheduled jobs did, a line each, in a system's folder of the batch data."""
_SEEN = "schedule.json"
_LONGEST_LINE = 65_536

Run = Callable[[ScoringJob, Path], dict[str, Any]]


def due(system: BatchSystem, now: float) -> bool:
    """Say whether a system's time has come since it was last looked at; at the first look it has not.

    However many times have passed (the machine was off), one job makes up for them.
    """
    from croniter import croniter

    seen = _seen(system)
    if seen is None:
        _note(system, now)
        return False
    upcoming = float(croniter(system.cron, seen, ret_type=float).get_next())
    return upcoming <= now


def tick(settings: BatchSettings, now: float, run: Run) -> list[str]:
    """Do what is due, and note it as done only then: a job that was cut off is due again and goes on.

    Returns:
        The systems that were scored, with success or not.
    """
    done = []
    for system in settings.systems:
        try:
            if _done(system, now, run):
                done.append(system.job.system)
        except Exception:
            # What keeps one system from being scored, such as a folder that is not its own, is none of the others'.
            logging.getLogger(__name__).exception("%s is not scored; the next look is soon", system.job.system)
    return done


def _done(system: BatchSystem, now: float, run: Run) -> bool:
    if not due(system, now):
        return False
    job = system.job
    job.workdir.mkdir(parents=True, exist_ok=True)
    answer = run(job, job.workdir)
    with (job.workdir / RUNS).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"due_before": now, "ended": time.time(), **answer}) + "\n")
    _note(system, now)
    return True


def run_job(job: ScoringJob, folder: Path) -> dict[str, Any]:
    """Do a job in a process of its own, which ends with this one; return its last words."""
    done = worker.run("mlstrata.services.batch", job, arguments=["score"], log=folder / "job.log")
    return {"error": done.error, **(done.value or {})}


def serve(settings: BatchSettings, wait: float = TICK) -> None:
    """Look at the clock until told to stop; answer /healthz and /metrics on loopback meanwhile."""
    counts: dict[tuple[str, str], int] = {}
    server = ThreadingHTTPServer(("127.0.0.1", settings.port), _handler(settings, counts))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def counted(job: ScoringJob, folder: Path) -> dict[str, Any]:
        answer = run_job(job, folder)
        key = (job.system, "failed" if answer["error"] else "succeeded")
        counts[key] = counts.get(key, 0) + 1
        if answer["error"]:
            logging.getLogger(__name__).error("scoring by %s failed: %s", job.system, answer["error"])
        return answer

    while True:
        tick(settings, time.time(), counted)
        time.sleep(wait)


def _seen(system: BatchSystem) -> float | None:
    try:
        noted = json.loads((system.job.workdir / _SEEN).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    # Another time is another schedule: it counts from when it is first looked at.
    return float(noted["at"]) if noted.get("cron") == system.cron else None


def _note(system: BatchSystem, now: float) -> None:
    system.job.workdir.mkdir(parents=True, exist_ok=True)
    path = system.job.workdir / _SEEN
    files.write(path, json.dumps({"cron": system.cron, "at": now}))


def exposition(settings: BatchSettings, counts: dict[tuple[str, str], int]) -> str:
    """Return the metrics as Prometheus text: jobs since the start, and whether the last of each system failed."""
    lines = ["# TYPE mlstrata_batch_jobs_total counter"]
    lines += [
        f'mlstrata_batch_jobs_total{{system="{system}",outcome="{outcome}"}} {number}'
        for (system, outcome), number in sorted(counts.copy().items())
    ]
    lines.append(f"# TYPE {SCORING_FAILED} gauge")
    for system in settings.systems:
        if (answer := _last(system.job.workdir / RUNS)) is not None:
            lines.append(f'{SCORING_FAILED}{{system="{system.job.system}"}} {int(bool(answer.get("error")))}')
    return "\n".join(lines) + "\n"


def _last(runs: Path) -> dict[str, Any] | None:
    """Return what the last job did; None where there was none yet, or its line was cut off by a full disk."""
    try:
        with runs.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE))
            found = json.loads(file.read().splitlines()[-1])
    except (OSError, IndexError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _handler(settings: BatchSettings, counts: dict[tuple[str, str], int]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in ("/healthz", "/metrics"):
                self.send_error(404)
                return
            body = (exposition(settings, counts) if self.path == "/metrics" else "ok\n").encode()
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: Prometheus asks every few seconds."""

    return Handler
