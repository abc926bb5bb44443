"""What goes from a store: what is old, and what a person wants gone.

Protected attributes go first: a removal that is cut off leaves records without them, and never the other way round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mlstrata.services.recording.completeness import FORGET_SECONDS
from mlstrata.services.recording.engine import Engine, Key, Writer, marks, pairs
from mlstrata.services.recording.protected import Protected
from mlstrata.services.recording.record import Record
from mlstrata.services.recording.store import Erasure

_BATCH = 500
"""Records that go at once: who records waits no longer than that."""

_NOTED_SECONDS = FORGET_SECONDS + 3600.0
"""How old a prediction may be whose removal is noted: whether it is recorded is not asked after a day, by a clock that
begins a request earlier than the record's does."""

_EVERYBODY = ""
"""Subject of the erasure of a whole system; no person's hash is empty."""
_MARKED = 20_000
"""Rows of the table that are looked through at once."""


class Removal:
    """Removes from the two parts of a store."""

    def __init__(self, db: Engine, groups: Protected, clock: Callable[[], float] = time.time) -> None:
        self._db, self._groups, self._clock = db, groups, clock

    def held(self, db: Writer, records: Sequence[Record]) -> dict[Key, bool]:
        """Say of records that arrive whether each is kept for the law alone, and leave out what must not be kept."""
        whose = list(dict.fromkeys((one.system, subject) for one in records for subject in (one.subject, _EVERYBODY)))
        asked: dict[Key, list[tuple[float, float]]] = {}
        for part in (whose[first : first + _BATCH] for first in range(0, len(whose), _BATCH)):
            query = f"SELECT system, subject, asked, hold FROM erasures WHERE (system, subject) IN ({pairs(part)})"  # noqa: S608 - bound
            for system, subject, *said in db.execute(query, [text for pair in part for text in pair]):
                asked.setdefault((system, subject), []).append((said[0], said[1]))
        kept, gone = {}, []
        for one in records:
            said = [*asked.get((one.system, one.subject), ()), *asked.get((one.system, _EVERYBODY), ())]
            holds = [hold for until, hold in said if until >= one.at]
            if holds and max(holds) <= 0:
                gone.append((one.id, one.at))
            else:
                kept[one.key] = bool(holds)
        db.executemany("INSERT INTO removed VALUES (?, ?) ON CONFLICT DO NOTHING", gone)
        return kept

    def removed(self, requests: Sequence[str]) -> set[str]:
        """Return those of some requests' ids whose records were removed, as far as anybody asks for them still."""
        return {row[0] for row in self._db.read_among("SELECT id FROM removed WHERE id IN ({})", requests)}

    def erase(self, system: str, subject: str, *, asked: float, hold: float) -> Erasure:
        """Remove what is recorded of a person until `asked`; what the law has kept is held."""
        with self._db.writing() as db:
            self._note(db, system, subject, asked, hold)
            whose, until = (system, subject), (asked,)
            db.execute("UPDATE records SET held = 1 WHERE system = ? AND subject = ? AND at <= ?", (*whose, *until))
            of_person = "IN (SELECT id FROM records WHERE system = ? AND subject = ? AND held = 1)"
            db.execute(f"DELETE FROM queue WHERE id {of_person}", whose)  # noqa: S608 - bound
        return self._first_gone(system, subject, asked, hold)

    def erase_system(self, system: str, *, asked: float, hold: float) -> Erasure:
        """Remove all that is recorded of a system until `asked`; what the law has kept is held."""
        with self._db.writing() as db:
            self._note(db, system, _EVERYBODY, asked, hold)
            last = db.execute("SELECT MAX(rowid) FROM records").fetchone()[0] or 0
            db.execute("DELETE FROM queue WHERE system = ? AND at <= ?", (system, asked))
        # By parts of the table as it lies, so that each row is looked at once; `||` and `+`: not by the index.
        query = "UPDATE records SET held = 1 WHERE rowid > ? AND rowid <= ? AND system || '' = ? AND +at <= ?"
        for first in range(0, last, _MARKED):
            with self._db.writing() as db:
                db.execute(query, (first, first + _MARKED, system, asked))
        return self._first_gone(system, _EVERYBODY, asked, hold)

    def finish(self, now: float, forget: float) -> int:
        """Remove what was held and is due; forget erasures after which nothing can arrive any more."""
        gone = 0
        for system, subject, asked, hold in self._db.read("SELECT system, subject, asked, hold FROM erasures"):
            # What another erasure holds, and came after this one, goes by that one's time.
            gone += self._due(system, subject, min(now - hold, asked))
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
        query = (
            "SELECT DISTINCT id FROM feedback WHERE system = '' AND coalesce(at, 0) < ? AND coalesce(rewarded, 0) < ?"
        )
        strays = {row[0] for row in self._db.read(query, (before, before))}
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
                db.execute(
                    f"DELETE FROM tellings WHERE id IN ({marks(part)}) AND id NOT IN (SELECT id FROM records)",  # noqa: S608 - bound
                    part,
                )
        return gone

    def _note(self, db: Writer, system: str, subject: str, asked: float, hold: float) -> None:
        """Before anything goes: what arrives from now on, and was predicted before, does not stay."""
        db.execute(
            "INSERT INTO erasures VALUES (?, ?, ?, ?) ON CONFLICT (system, subject) DO UPDATE SET "
            "asked = CASE WHEN erasures.asked > excluded.asked THEN erasures.asked ELSE excluded.asked END, "
            "hold = excluded.hold",
            (system, subject, asked, hold),
        )

    def _first_gone(self, system: str, subject: str, asked: float, hold: float) -> Erasure:
        gone = self._due(system, subject, asked - hold)
        where, whose = _held(system, subject)
        count, newest = self._db.read(f"SELECT COUNT(*), MAX(at) FROM records WHERE {where}", whose)[0]  # noqa: S608 - ours
        self._empty_logs()
        return Erasure(gone, int(count), None if newest is None else newest + hold)

    def _due(self, system: str, subject: str, before: float) -> int:
        where, whose = _held(system, subject)
        query = f"SELECT id, version FROM records WHERE {where} AND at <= ? ORDER BY at LIMIT ?"  # noqa: S608 - ours
        return self._until_none(query, (*whose, before, _BATCH))

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
            those, values = f"(id, version) IN ({pairs(keys)})", [part for key in keys for part in key]
            counted = f"SELECT system, version, COUNT(*) FROM records WHERE {those} GROUP BY system, version"  # noqa: S608 - bound
            db.executemany(
                "UPDATE counts SET removed = removed + ? WHERE system = ? AND version = ?",
                [(count, system, version) for system, version, count in db.execute(counted, values).fetchall()],
            )
            # Or whoever compares the gateway's log with what is recorded would miss them.
            db.execute(
                f"INSERT INTO removed SELECT id, MAX(at) FROM records WHERE {those} AND at >= ? "  # noqa: S608 - bound
                "GROUP BY id ON CONFLICT DO NOTHING",
                [*values, self._clock() - _NOTED_SECONDS],
            )
            self._db.delete(db, keys)
            for table in ("feedback", "queue", "tellings") if gone else ():
                db.execute(f"DELETE FROM {table} WHERE id IN ({marks(gone)})", gone)  # noqa: S608 - bound

    def _empty_logs(self) -> None:
        self._db.empty_log()
        self._groups.empty_log()


def _held(system: str, subject: str) -> tuple[str, tuple[str, ...]]:
    """Return the condition for what is held of a person, or of everybody, and its values."""
    if subject == _EVERYBODY:
        return "system = ? AND held = 1", (system,)
    return "system = ? AND subject = ? AND held = 1", (system, subject)
