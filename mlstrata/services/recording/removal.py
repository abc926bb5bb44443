"""What goes from the embedded store: what is old, and what a person wants gone.

Protected attributes go first: a removal that is cut off leaves records without them, and never the other way round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from sqlite3 import Connection

from mlstrata.services.recording.completeness import FORGET_SECONDS
from mlstrata.services.recording.database import Database, marks
from mlstrata.services.recording.protected import Protected
from mlstrata.services.recording.record import Record
from mlstrata.services.recording.store import Erasure

_BATCH = 500
"""Records that go at once: who records waits no longer than that."""

_NOTED_SECONDS = FORGET_SECONDS + 3600.0
"""How old a prediction may be whose removal is noted: whether it is recorded is not asked after a day, by a clock that
begins a request earlier than the record's does."""

Key = tuple[str, str]


class Removal:
    """Removes from the two files of a store."""

    def __init__(self, db: Database, groups: Protected, clock: Callable[[], float] = time.time) -> None:
        self._db, self._groups, self._clock = db, groups, clock

    def held(self, db: Connection, record: Record) -> bool | None:
        """Say whether a record that arrives is kept for the law alone; None where it must not be kept at all."""
        if not record.subject:
            return False
        query = "SELECT asked, hold FROM erasures WHERE system = ? AND subject = ?"
        erasure = db.execute(query, (record.system, record.subject)).fetchone()
        if erasure is None or record.at > erasure[0]:
            return False
        if erasure[1] > 0:
            return True
        db.execute("INSERT OR IGNORE INTO removed VALUES (?, ?)", (record.id, record.at))
        return None

    def removed(self, requests: Sequence[str]) -> set[str]:
        """Return those of some requests' ids whose records were removed, as far as anybody asks for them still."""
        return {row[0] for row in self._db.read_among("SELECT id FROM removed WHERE id IN ({})", requests)}

    def erase(self, system: str, subject: str, *, asked: float, hold: float) -> Erasure:
        """Remove what is recorded of a person until `asked`; what the law has kept is held."""
        with self._db.writing() as db:
            # Before anything goes: what arrives from now on, and was predicted before, does not stay.
            db.execute(
                "INSERT INTO erasures VALUES (?, ?, ?, ?) ON CONFLICT (system, subject) DO UPDATE SET "
                "asked = max(asked, excluded.asked), hold = excluded.hold",
                (system, subject, asked, hold),
            )
            whose, until = (system, subject), (asked,)
            db.execute("UPDATE records SET held = 1 WHERE system = ? AND subject = ? AND at <= ?", (*whose, *until))
            of_person = "IN (SELECT id FROM records WHERE system = ? AND subject = ? AND held = 1)"
            db.execute(f"DELETE FROM queue WHERE id {of_person}", whose)  # noqa: S608 - bound
        gone = self._due(system, subject, asked - hold)
        left = self._db.read(
            "SELECT COUNT(*), MAX(at) FROM records WHERE system = ? AND subject = ? AND held = 1", (system, subject)
        )[0]
        self._empty_logs()
        return Erasure(gone, int(left[0]), None if left[1] is None else left[1] + hold)

    def finish(self, now: float, forget: float) -> int:
        """Remove what was held and is due; forget erasures after which nothing can arrive any more."""
        gone = 0
        for system, subject, asked, hold in self._db.read("SELECT system, subject, asked, hold FROM erasures"):
            gone += self._due(system, subject, now - hold)
            if asked + max(hold, forget) < now:
                with self._db.writing() as db:
                    db.execute("DELETE FROM erasures WHERE system = ? AND subject = ?", (system, subject))
        with self._db.writing() as db:
            db.execute("DELETE FROM removed WHERE at < ?", (now - _NOTED_SECONDS,))
        if gone:
            self._empty_logs()
        return gone

    def prune(self, system: str, before: float) -> int:
        """Remove records from before a time with all that hangs on them."""
        query = "SELECT id, version FROM records WHERE system = ? AND at < ? ORDER BY at LIMIT ?"
        return self._until_none(query, (system, before, _BATCH))

    def prune_strays(self, before: float) -> int:
        """Remove feedback from before a time whose prediction never came."""
        query = "SELECT DISTINCT id FROM feedback WHERE system = '' AND max(ifnull(at, 0), ifnull(rewarded, 0)) < ?"
        strays = {row[0] for row in self._db.read(query, (before,))}
        gone = len(strays)
        known = self._groups.before(before)
        there = set(self._db.read_among("SELECT DISTINCT id FROM records WHERE id IN ({})", known))
        strays |= {one for one in known if (one,) not in there}
        for first in range(0, len(ordered := sorted(strays)), _BATCH):
            part = ordered[first : first + _BATCH]
            self._groups.remove(part)
            with self._db.writing() as db:
                # Its prediction may have come meanwhile.
                db.execute(f"DELETE FROM feedback WHERE id IN ({marks(part)}) AND system = ''", part)  # noqa: S608 - bound
        return gone

    def _due(self, system: str, subject: str, before: float) -> int:
        query = (
            "SELECT id, version FROM records WHERE system = ? AND subject = ? AND held = 1 AND at <= ? "
            "ORDER BY at LIMIT ?"
        )
        return self._until_none(query, (system, subject, before, _BATCH))

    def _until_none(self, query: str, values: Sequence[object]) -> int:
        gone = 0
        while keys := self._db.read(query, values):
            self._drop([(key[0], key[1]) for key in keys])
            gone += len(keys)
        return gone

    def _drop(self, keys: Sequence[Key]) -> None:
        """Remove records, and what hangs on their ids where no other version of these stays."""
        ids, dropped = list({key[0] for key in keys}), set(keys)
        query = "SELECT id, version FROM records WHERE id IN ({})"
        stays = {row[0] for row in self._db.read_among(query, ids) if (row[0], row[1]) not in dropped}
        gone = [one for one in ids if one not in stays]
        self._groups.remove(gone)
        with self._db.writing() as db:
            db.executemany(
                "UPDATE counts SET removed = removed + 1 FROM records AS gone WHERE gone.id = ? AND gone.version = ? "
                "AND counts.system = gone.system AND counts.version = gone.version",
                keys,
            )
            # Or whoever compares the gateway's log with what is recorded would miss them.
            db.executemany(
                "INSERT OR IGNORE INTO removed SELECT id, at FROM records WHERE id = ? AND version = ? AND at >= ?",
                [(*key, self._clock() - _NOTED_SECONDS) for key in keys],
            )
            db.executemany("DELETE FROM records WHERE id = ? AND version = ?", keys)
            for table in ("feedback", "queue"):
                db.execute(f"DELETE FROM {table} WHERE id IN ({marks(gone)})", gone)  # noqa: S608 - bound

    def _empty_logs(self) -> None:
        self._db.empty_log()
        self._groups.empty_log()
