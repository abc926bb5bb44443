"""What was asked for, decided and done, in SQLite: written before it is acted on, so a crash forgets nothing."""

from __future__ import annotations

import re
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlstrata.files import private_folder
from mlstrata.services.retraining.trigger import BY_HAND, Decision, Outcome, State, Training, Trigger

_SCHEMA = """
CREATE TABLE IF NOT EXISTS triggers (
    key TEXT PRIMARY KEY, system TEXT NOT NULL, cause TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL,
    received REAL NOT NULL, training TEXT);
CREATE INDEX IF NOT EXISTS triggers_waiting ON triggers (system, received) WHERE training IS NULL;
CREATE TABLE IF NOT EXISTS trainings (
    id TEXT PRIMARY KEY, system TEXT NOT NULL, state TEXT NOT NULL, started REAL NOT NULL, by_hand INTEGER NOT NULL,
    reason TEXT NOT NULL, request TEXT NOT NULL DEFAULT '', named TEXT NOT NULL DEFAULT '',
    version TEXT NOT NULL DEFAULT '', rolled REAL, ended REAL, outcome TEXT, why TEXT NOT NULL DEFAULT '');
CREATE UNIQUE INDEX IF NOT EXISTS one_at_a_time ON trainings (system) WHERE ended IS NULL;
CREATE TABLE IF NOT EXISTS decisions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, system TEXT NOT NULL, kind TEXT NOT NULL,
    reason TEXT NOT NULL, training TEXT NOT NULL, version TEXT NOT NULL, audited INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS decisions_by_system ON decisions (system, number);
CREATE INDEX IF NOT EXISTS decisions_to_audit ON decisions (number) WHERE audited = 0;
"""
_TRAINING = "id, system, state, started, by_hand, reason, request, named, version, rolled, ended, outcome, why"
_DECISION = "number, at, system, kind, reason, training, version"
UNAUDITED = frozenset({"accepted", "waits", "problem", "rolling"})
"""What changes nothing, or what the rollout has in the audit log itself."""
DROPPED = "-"
"""In the place of a training: the cause started none and never will."""


class Journal:
    """The memory of the learning process. Safe to call from several threads; one process writes it.

    Times are seconds since 1970.
    """

    def __init__(self, path: Path) -> None:
        private_folder(path.parent)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)
        path.chmod(0o600)
        self._db.execute("PRAGMA journal_mode=WAL")
        # What was answered with 202 is on the disk, also after a loss of power.
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def accept(self, found: Iterable[Trigger], now: float) -> int:
        """Keep reasons to train, all of them or none; return how many were new."""
        new = 0
        with self._transaction():
            for one in found:
                row = (one.key, one.system, one.cause, one.name, one.reason, now)
                query = (
                    "INSERT OR IGNORE INTO triggers (key, system, cause, name, reason, received) "
                    "VALUES (?, ?, ?, ?, ?, ?)"
                )
                if self._db.execute(query, row).rowcount == 1:
                    new += 1
                    self._decide(one.system, "accepted", one.text, now)
        return new

    def systems(self) -> list[str]:
        """Return the systems for which a cause waits or a training is under way."""
        query = (
            "SELECT system FROM triggers WHERE training IS NULL UNION SELECT system FROM trainings WHERE ended IS NULL"
        )
        with self._lock:
            return sorted(row[0] for row in self._db.execute(query))

    def is_busy(self) -> bool:
        """Say whether a training is under way."""
        with self._lock:
            return self._db.execute("SELECT 1 FROM trainings WHERE ended IS NULL LIMIT 1").fetchone() is not None

    def waiting(self, system: str) -> list[tuple[Trigger, float]]:
        """Return the causes of a system that started nothing yet, each with when it was received, oldest first."""
        query = (
            "SELECT key, system, cause, name, reason, received FROM triggers WHERE system = ? AND training IS NULL "
            "ORDER BY received, key"
        )
        with self._lock:
            return [(Trigger(*row[:5]), row[5]) for row in self._db.execute(query, (system,))]

    def answer_to(self, key: str) -> str | None:
        """Return the training that a cause started; empty: none yet, `DROPPED`: none ever, None: it is not known."""
        with self._lock:
            row = self._db.execute("SELECT training FROM triggers WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0] or "")

    def drop(self, found: Iterable[Trigger], kind: str, reason: str, now: float) -> None:
        """Let causes start nothing for good."""
        with self._transaction():
            for one in found:
                query = "UPDATE triggers SET training = ? WHERE key = ? AND training IS NULL"
                if self._db.execute(query, (DROPPED, one.key)).rowcount == 1:
                    self._decide(one.system, kind, f"{one.text}: {reason}", now)

    def begin(self, system: str, found: Iterable[Trigger], reason: str, now: float) -> Training:
        """Decide on a training for causes that wait: from here on there is one, and they start no other.

        Raises:
            sqlite3.IntegrityError: One of the system is under way.
        """
        taken, identity = list(found), uuid.uuid4().hex[:12]
        by_hand = any(one.cause == BY_HAND for one in taken)
        with self._transaction():
            self._db.execute(
                "INSERT INTO trainings (id, system, state, started, by_hand, reason) VALUES (?, ?, ?, ?, ?, ?)",
                (identity, system, State.DECIDED, now, by_hand, reason),
            )
            for one in taken:
                self._db.execute("UPDATE triggers SET training = ? WHERE key = ?", (identity, one.key))
            self._decide(system, "started", reason, now, identity)
        return Training(identity, system, State.DECIDED, now, by_hand, reason)

    def composed(self, training: Training, request: str, named: str, now: float) -> None:
        """Note what the runner is asked; it is asked after this."""
        with self._transaction():
            query = "UPDATE trainings SET state = ?, request = ?, named = ? WHERE id = ? AND state = ?"
            self._db.execute(query, (State.COMPOSED, request, named, training.id, State.DECIDED))
            self._decide(training.system, "composed", named, now, training.id)

    def trained(self, training: Training, version: str, reason: str, now: float) -> None:
        """Note the version that a training made."""
        with self._transaction():
            query = "UPDATE trainings SET state = ?, version = ? WHERE id = ? AND state = ?"
            self._db.execute(query, (State.TRAINED, version, training.id, State.COMPOSED))
            self._decide(training.system, "trained", reason, now, training.id, version)

    def rolling(self, training: Training, reason: str, now: float) -> None:
        """Note that its version began to take over."""
        with self._transaction():
            query = "UPDATE trainings SET state = ?, rolled = ? WHERE id = ? AND state = ?"
            self._db.execute(query, (State.ROLLING, now, training.id, State.TRAINED))
            self._decide(training.system, "rollout", reason, now, training.id, training.version)

    def end(self, training: Training, outcome: Outcome, why: str, now: float) -> None:
        """Note how a training ended; a released one answers the causes that came meanwhile, too."""
        with self._transaction():
            query = "UPDATE trainings SET state = ?, ended = ?, outcome = ?, why = ? WHERE id = ? AND ended IS NULL"
            if self._db.execute(query, (State.ENDED, now, outcome, why, training.id)).rowcount == 0:
                return
            self._decide(training.system, outcome, why, now, training.id, training.version)
            if outcome is Outcome.RELEASED:
                self._answer(training, now)

    def decide(self, system: str, kind: str, reason: str, now: float, training: str = "") -> bool:
        """Record a decision; False where it is the system's last one already, but for the figures in its reason."""
        with self._transaction():
            query = "SELECT kind, reason, training FROM decisions WHERE system = ? ORDER BY number DESC LIMIT 1"
            last = self._db.execute(query, (system,)).fetchone()
            if last and (last[0], last[2], _stem(last[1])) == (kind, training, _stem(reason)):
                return False
            self._decide(system, kind, reason, now, training)
            return True

    def trainings(self, system: str) -> list[Training]:
        """Return the trainings of a system, oldest first."""
        query = f"SELECT {_TRAINING} FROM trainings WHERE system = ? ORDER BY started, rowid"  # noqa: S608 - a constant
        with self._lock:
            return [_training(row) for row in self._db.execute(query, (system,))]

    def decisions(self, system: str, limit: int = 50) -> list[Decision]:
        """Return the newest decisions about a system, newest first."""
        query = f"SELECT {_DECISION} FROM decisions WHERE system = ? ORDER BY number DESC LIMIT ?"  # noqa: S608 - likewise
        with self._lock:
            return [Decision(*row) for row in self._db.execute(query, (system, limit))]

    def to_audit(self) -> list[Decision]:
        """Return the decisions that the audit log does not hold yet, oldest first."""
        query = f"SELECT {_DECISION} FROM decisions WHERE audited = 0 ORDER BY number"  # noqa: S608 - likewise
        with self._lock:
            return [Decision(*row) for row in self._db.execute(query)]

    def audited(self, decision: Decision) -> None:
        """Note that the audit log holds a decision."""
        with self._transaction():
            self._db.execute("UPDATE decisions SET audited = 1 WHERE number = ?", (decision.number,))

    def _answer(self, training: Training, now: float) -> None:
        query = "SELECT key, name FROM triggers WHERE system = ? AND training IS NULL AND cause <> ?"
        for key, name in self._db.execute(query, (training.system, BY_HAND)).fetchall():
            self._db.execute("UPDATE triggers SET training = ? WHERE key = ?", (training.id, key))
            reason = f"{name}: it came while version {training.version} was on its way"
            self._decide(training.system, "answered", reason, now, training.id, training.version)

    def _decide(  # noqa: PLR0917 - the columns of the table, in their order
        self, system: str, kind: str, reason: str, now: float, training: str = "", version: str = ""
    ) -> None:
        self._db.execute(
            "INSERT INTO decisions (at, system, kind, reason, training, version, audited) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (now, system, kind, reason, training, version, kind in UNAUDITED),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _stem(reason: str) -> str:
    """Return a reason without its figures: how many rows are labelled by now makes no new decision."""
    return re.sub(r"[0-9]+", "#", reason)


def _training(row: tuple[object, ...]) -> Training:
    identity, system, state, started, by_hand, reason, request, named, version, rolled, ended, outcome, why = row
    return Training(
        id=str(identity),
        system=str(system),
        state=State(str(state)),
        started=float(str(started)),
        by_hand=bool(by_hand),
        reason=str(reason),
        request=str(request),
        named=str(named),
        version=str(version),
        rolled=None if rolled is None else float(str(rolled)),
        ended=None if ended is None else float(str(ended)),
        outcome=None if outcome is None else Outcome(str(outcome)),
        why=str(why),
    )
