"""Runs, their steps and what they made, in SQLite: written as things happen, so a crash loses nothing that was seen."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mlstrata.services.runner.contract import Artifact, Run, State, Step, TrainingRequest

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, system TEXT NOT NULL, pipeline TEXT NOT NULL, cause TEXT NOT NULL, state TEXT NOT NULL,
    request TEXT NOT NULL, created REAL NOT NULL, started REAL, ended REAL, result TEXT, error TEXT);
CREATE INDEX IF NOT EXISTS runs_by_system ON runs (system, created);
CREATE INDEX IF NOT EXISTS runs_by_state ON runs (state, created);
CREATE TABLE IF NOT EXISTS steps (
    run TEXT NOT NULL REFERENCES runs (id), position INTEGER NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
    seconds REAL, cached INTEGER NOT NULL, error TEXT, outputs TEXT NOT NULL, PRIMARY KEY (run, name));
CREATE TABLE IF NOT EXISTS artifacts (
    run TEXT NOT NULL REFERENCES runs (id), step TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    uri TEXT NOT NULL, metadata TEXT NOT NULL, PRIMARY KEY (run, step, name));
CREATE INDEX IF NOT EXISTS artifacts_by_uri ON artifacts (uri);
CREATE TABLE IF NOT EXISTS schedules (system TEXT NOT NULL, cron TEXT NOT NULL, checked REAL NOT NULL,
    PRIMARY KEY (system, cron));
"""

SCHEDULED = "schedule"
"""What started a run that nobody asked for."""
INTERRUPTED = "interrupted: the runner ended while it ran; start it again"

Pair = tuple[str, State]


class Store:
    """The runner's memory. Not for several threads at once.

    Times are seconds since 1970.

    Attributes:
        on_change: Called with a run's id after it has started and after it has ended.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=60)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA foreign_keys=ON")
        self._db.executescript(SCHEMA)
        # How far a step is matters while it runs: a runner that starts anew has no running steps.
        self._progress: dict[tuple[str, str], str] = {}
        self.on_change: Callable[[str], None] = lambda _run: None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, run: str, request: TrainingRequest, trigger: str, now: float) -> None:
        """Remember a run that was asked for; it is queued."""
        self._db.execute(
            "INSERT INTO runs (id, system, pipeline, cause, state, request, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (run, request.system, request.pipeline, trigger, State.QUEUED, request.model_dump_json(), now),
        )

    def start(self, run: str, now: float) -> bool:
        """Mark a queued run as running; False when it no longer is queued."""
        query = "UPDATE runs SET state = ?, started = ? WHERE id = ? AND state = ?"
        started = self._db.execute(query, (State.RUNNING, now, run, State.QUEUED)).rowcount == 1
        if started:
            self.on_change(run)
        return started

    def plan(self, run: str, steps: Iterable[str]) -> None:
        """Remember which steps a run is going to take, in order."""
        for position, name in enumerate(steps):
            self._db.execute(
                "INSERT OR IGNORE INTO steps VALUES (?, ?, ?, ?, NULL, 0, NULL, '{}')",
                (run, position, name, State.QUEUED),
            )

    def step(self, run: str, step: Step) -> None:
        """Remember where a step is and what it made."""
        self._progress.pop((run, step.name), None)
        if step.progress is not None:
            self._progress[run, step.name] = step.progress
        self._db.execute(
            "INSERT INTO steps VALUES (?, (SELECT COUNT(*) FROM steps WHERE run = ?), ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (run, name) DO UPDATE SET state = excluded.state, seconds = excluded.seconds, "
            "cached = excluded.cached, error = excluded.error, outputs = excluded.outputs",
            (run, run, step.name, step.state, step.seconds, step.cached, step.error, json.dumps(step.outputs)),
        )
        for artifact in step.artifacts:
            self._db.execute(
                "INSERT OR REPLACE INTO artifacts VALUES (?, ?, ?, ?, ?, ?)",
                (run, step.name, artifact.name, artifact.kind, artifact.uri, json.dumps(artifact.metadata)),
            )

    def end(self, run: str, state: State, now: float, *, result: Any = None, error: str | None = None) -> bool:
        """Mark a run as ended, and the steps it was in; False when it had ended before."""
        text = None if result is None else json.dumps(result)
        query = "UPDATE runs SET state = ?, ended = ?, result = ?, error = ? WHERE id = ? AND state IN (?, ?)"
        if self._db.execute(query, (state, now, text, error, run, State.QUEUED, State.RUNNING)).rowcount == 0:
            return False
        if state is not State.SUCCEEDED:
            query = "UPDATE steps SET state = ?, error = ? WHERE run = ? AND state = ?"
            self._db.execute(query, (state, error, run, State.RUNNING))
        self.on_change(run)
        return True

    def recover(self, now: float) -> list[str]:
        """End what a dead runner was running, as failed; give the runs that still wait, oldest first."""
        for row in self._db.execute("SELECT id FROM runs WHERE state = ?", (State.RUNNING,)).fetchall():
            self.end(row["id"], State.FAILED, now, error=INTERRUPTED)
        query = "SELECT id FROM runs WHERE state = ? ORDER BY created, rowid"
        return [row["id"] for row in self._db.execute(query, (State.QUEUED,))]

    def request(self, run: str) -> TrainingRequest:
        """Give what a run was asked to do."""
        row = self._db.execute("SELECT request FROM runs WHERE id = ?", (run,)).fetchone()
        return TrainingRequest.model_validate_json(row["request"])

    def get(self, run: str) -> Run | None:
        """Give a run with its steps; None when there is none of that id."""
        row = self._db.execute("SELECT * FROM runs WHERE id = ?", (run,)).fetchone()
        return None if row is None else self._run(row)

    def find(self, system: str | None = None, limit: int = 50) -> list[Run]:
        """Give the newest runs, of one system or of all."""
        where, values = ("WHERE system = ?", [system]) if system else ("", [])
        query = f"SELECT * FROM runs {where} ORDER BY created DESC, rowid DESC LIMIT ?"  # noqa: S608 - values are bound
        return [run for row in self._db.execute(query, [*values, limit]).fetchall() if (run := self._readable(row))]

    def active(self, system: str) -> bool:
        """Say whether a run of a system waits or runs."""
        query = "SELECT 1 FROM runs WHERE system = ? AND state IN (?, ?) LIMIT 1"
        return self._db.execute(query, (system, State.QUEUED, State.RUNNING)).fetchone() is not None

    def counts(self) -> dict[Pair, int]:
        """Count runs by system and state."""
        query = "SELECT system, state, COUNT(*) AS n FROM runs GROUP BY system, state"
        return {(row["system"], State(row["state"])): row["n"] for row in self._db.execute(query)}

    def last(self) -> dict[Pair, tuple[float, float]]:
        """Give end and duration of the newest ended run by system and state."""
        query = (
            "SELECT system, state, MAX(ended) AS ended, ended - COALESCE(started, created) AS seconds "
            "FROM runs WHERE ended IS NOT NULL GROUP BY system, state"
        )
        return {(row["system"], State(row["state"])): (row["ended"], row["seconds"]) for row in self._db.execute(query)}

    def scheduled(self) -> dict[str, State]:
        """Give how the newest ended run that a schedule started ended, by system."""
        query = (
            "SELECT system, state, MAX(ended) FROM runs WHERE cause = ? AND ended IS NOT NULL AND state <> ? "
            "GROUP BY system"
        )
        rows = self._db.execute(query, (SCHEDULED, State.CANCELLED))
        return {row["system"]: State(row["state"]) for row in rows}

    def checked(self, system: str, cron: str, now: float) -> float:
        """Give when a schedule was last looked at; now, when it is new or a clock that was ahead noted it."""
        query = (
            "INSERT INTO schedules VALUES (?, ?, ?) ON CONFLICT (system, cron) DO UPDATE "
            "SET checked = MIN(checked, excluded.checked)"
        )
        self._db.execute(query, (system, cron, now))
        query = "SELECT checked FROM schedules WHERE system = ? AND cron = ?"
        return float(self._db.execute(query, (system, cron)).fetchone()["checked"])

    def check(self, system: str, cron: str, now: float) -> None:
        """Remember that a schedule was looked at."""
        self._db.execute("UPDATE schedules SET checked = ? WHERE system = ? AND cron = ?", (now, system, cron))

    def erase(self, system: str) -> list[str]:
        """Forget all runs and schedules of a system; return the ids of the runs."""
        runs = [row["id"] for row in self._db.execute("SELECT id FROM runs WHERE system = ?", (system,))]
        self._db.execute("BEGIN IMMEDIATE")
        for table in ("artifacts", "steps"):
            query = f"DELETE FROM {table} WHERE run IN (SELECT id FROM runs WHERE system = ?)"  # noqa: S608 - two names
            self._db.execute(query, (system,))
        for table in ("runs", "schedules"):
            self._db.execute(f"DELETE FROM {table} WHERE system = ?", (system,))  # noqa: S608 - two names
        self._db.execute("COMMIT")
        return runs

    def _readable(self, row: sqlite3.Row) -> Run | None:
        """Give a run; None where its row is not as this version writes it, which hides no other."""
        try:
            return self._run(row)
        except (ValueError, TypeError):
            logging.getLogger(__name__).exception("run %s cannot be read", row["id"])
            return None

    def _run(self, row: sqlite3.Row) -> Run:
        made: dict[str, list[Artifact]] = {}
        for item in self._db.execute("SELECT * FROM artifacts WHERE run = ? ORDER BY rowid", (row["id"],)):
            artifact = Artifact(
                name=item["name"], kind=item["kind"], uri=item["uri"], metadata=json.loads(item["metadata"])
            )
            made.setdefault(item["step"], []).append(artifact)
        steps = [
            Step(
                name=step["name"],
                state=step["state"],
                seconds=step["seconds"],
                cached=bool(step["cached"]),
                error=step["error"],
                progress=self._progress.get((row["id"], step["name"])),
                outputs=json.loads(step["outputs"]),
                artifacts=tuple(made.get(step["name"], ())),
            )
            for step in self._db.execute("SELECT * FROM steps WHERE run = ? ORDER BY position", (row["id"],))
        ]
        return Run(
            id=row["id"],
            system=row["system"],
            pipeline=row["pipeline"],
            state=row["state"],
            trigger=row["cause"],
            created=row["created"],
            started=row["started"],
            ended=row["ended"],
            steps=tuple(steps),
            result=None if row["result"] is None else json.loads(row["result"]),
            error=row["error"],
        )
