"""A store of predictions in tables: the same statements for each engine that keeps them.

A batch is one transaction, and the key (id, version) makes it harmless to send a batch again. What is predicted and
what protected attributes people have lie apart: the second is opened by nobody who does not ask for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from mlstrata.services.recording import following
from mlstrata.services.recording.engine import Engine, Line, Writer, marks
from mlstrata.services.recording.following import CHUNK
from mlstrata.services.recording.merging import Grouped, Told, grouped
from mlstrata.services.recording.protected import Protected
from mlstrata.services.recording.record import Record
from mlstrata.services.recording.removal import Removal
from mlstrata.services.recording.sampling import waiting_rows
from mlstrata.services.recording.schema import judged_values, told
from mlstrata.services.recording.store import Count, Cursor, Erasure, Feedback, Known, News, Queue, Waiting


class TableStore:
    """Records, feedback and queues in tables. Safe to call from several threads."""

    def __init__(
        self,
        db: Engine,
        groups: Protected,
        shares: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin.

        Args:
            db: Keeps what is recorded and told.
            groups: Keeps protected attributes.
            shares: Share of a system's answers that a person labels (`recording.label_share`), by system; only what
                adds records needs to know.
            clock: Gives the seconds since 1970.
        """
        self._db, self._groups = db, groups
        self._removal = Removal(self._db, self._groups, clock)
        self._shares = dict(shares or {})

    def add(self, records: Sequence[Record]) -> int:
        """Keep records, all of them or none; return how many were new.

        Raises:
            StoreFullError: the disk is full; none was kept.
        """
        wanted = {one.key: one for one in reversed(records)}
        if not wanted:
            return 0
        with self._db.writing() as db:
            for part in _parts(list({key[0] for key in wanted})):
                query = f"SELECT id, version FROM records WHERE id IN ({marks(part)})"  # noqa: S608 - bound
                for key in db.execute(query, part):
                    wanted.pop(key, None)
            held = self._removal.held(db, [*wanted.values()])
            new = [one for one in wanted.values() if one.key in held]
            self._db.insert(db, [_line(one, held=held[one.key]) for one in new])
            self._count(db, new)
            for system in sorted({one.system for one in new}):
                for part in _parts([one.id for one in new if one.system == system]):
                    query = f"UPDATE feedback SET system = ? WHERE system = '' AND id IN ({marks(part)})"  # noqa: S608 - bound
                    db.execute(query, [system, *part])
            self._queue(db, [one for one in new if not held[one.key]])
        return len(new)

    def tell(self, feedback: Iterable[Feedback]) -> int:
        """Keep feedback, of known predictions or of such as come later; return how many rows changed anything.

        Raises:
            StoreFullError: the disk is full; sent again, all of it is kept.
        """
        given = list(feedback)
        groups = [(one.id, one.instance, said) for one in given if (said := grouped(one))]
        changed = self._groups.tell(groups) if groups else set()
        with self._db.writing() as db:
            for one in given:
                if self._merge(db, one):
                    changed.add((one.id, one.instance))
            # Groups are kept first and in another file: whoever tells them again after a crash changes nothing there.
            told = dict.fromkeys([request for request, _, _ in groups] + [request for request, _ in sorted(changed)])
            for part in _parts(list(told)):
                db.execute(f"DELETE FROM tellings WHERE id IN ({marks(part)})", part)  # noqa: S608 - bound
            db.executemany("INSERT INTO tellings (id) VALUES (?)", [(one,) for one in told])
        return len(changed)

    def find(self, request: str) -> list[Record]:
        """Return what was recorded under a request's id, the answer that was given first."""
        query = f"SELECT body FROM {self._db.whole} WHERE id = ? ORDER BY shadow, at, version"  # noqa: S608 - ours
        return [Record.from_bytes(row[0]) for row in self._db.read(query, (request,))]

    def known(self, request: str) -> list[Known]:
        """Return the rows that were recorded under a request's id, with their feedback."""
        found = self.find(request)
        return list(self._joined(rows_of(found), groups=False))

    def window(
        self,
        system: str,
        *,
        since: float,
        until: float,
        version: str | None = None,
        shadow: bool = False,
        groups: bool = False,
        limit: int | None = None,
    ) -> Iterator[Known]:
        """Yield the rows of `system` recorded in [since, until), oldest first, with their feedback.

        Those of one moment come by id, version and instance. What is recorded meanwhile may be in it or not.
        """
        where, values = "system = ? AND at < ? AND held = 0 AND rows > 0", [system, until]
        if version is not None:
            where, values = f"{where} AND version = ?", [*values, version]
        if not shadow:
            where = f"{where} AND shadow = 0"
        after, skipped = (since, "", ""), 0
        if limit is not None:
            found = self._newest(where, values, since, limit)
            if found is None:
                return
            after, skipped = found
        # Whatever the limit skips is in the first record; the comparison is `>=` until that is read.
        sign = ">="
        query = (
            f"SELECT at, id, version, body FROM {self._db.whole} WHERE {where} AND (at, id, version) {{}} (?, ?, ?) "  # noqa: S608 - bound
            f"ORDER BY at, id, version LIMIT {CHUNK}"
        )
        while chunk := self._db.read(query.format(sign), [*values, *after]):
            after, sign = chunk[-1][:3], ">"
            records = [Record.from_bytes(row[3]) for row in chunk]
            yield from self._joined(rows_of(records)[skipped:], groups=groups)
            skipped = 0

    def news(
        self, system: str, cursor: Cursor | None, *, since: float, versions: Collection[str], groups: bool = False
    ) -> News:
        """Return what came since a cursor, a bounded part of it; a row is new once, however often it is told of."""
        found = following.news(self._db, system, cursor, since=since, versions=versions)
        new, told = (tuple(self._joined(rows_of(one), groups=groups)) for one in (found.new, found.told))
        return News(found.cursor, new, told, found.anew, found.more)

    def waiting(self, queue: Queue, system: str, limit: int) -> list[Waiting]:
        """Return the rows of a system that wait for a person, the oldest first, `limit` at most."""
        query = (
            "SELECT id, instance, at, sampled FROM queue WHERE queue = ? AND system = ? "
            "ORDER BY at, id, instance LIMIT ?"
        )
        return [Waiting(queue, *row) for row in self._db.read(query, (str(queue), system, limit))]

    def given(self, system: str, rows: Collection[tuple[str, int]]) -> dict[tuple[str, int], Known]:
        """Return what a system answered in some rows, by request's id and row, with feedback, without groups."""
        ids = sorted({request for request, _ in rows})
        query = f"SELECT body FROM {self._db.whole} WHERE system = ? AND id IN ({{}}) ORDER BY shadow, at, version"  # noqa: S608 - ours
        records: dict[str, Record] = {}
        for (body,) in self._db.read_among(query, ids, (system,)):
            one = Record.from_bytes(body)
            records.setdefault(one.id, one)
        wanted = [
            (known, row) for request, row in rows if (known := records.get(request)) and row < len(known.instances)
        ]
        return {(one.record.id, one.instance): one for one in self._joined(wanted, groups=False)}

    def sampled(self, queue: Queue, request: str, instance: int) -> float:
        """Return the probability with which a row that waits was chosen; 1 where it does not wait."""
        query = "SELECT sampled FROM queue WHERE queue = ? AND id = ? AND instance = ?"
        found = self._db.read(query, (str(queue), request, instance))
        return float(found[0][0]) if found else 1.0

    def lengths(self) -> dict[tuple[Queue, str], int]:
        """Return how many rows wait, by queue and system."""
        rows = self._db.read("SELECT queue, system, COUNT(*) FROM queue GROUP BY queue, system")
        return {(Queue(queue), system): count for queue, system, count in rows}

    def missing(self, requests: Collection[str]) -> set[str]:
        """Return those of some requests' ids under which nothing is recorded, nor was and is removed."""
        wanted = list(requests)
        there = {row[0] for row in self._db.read_among("SELECT DISTINCT id FROM records WHERE id IN ({})", wanted)}
        absent = set(wanted) - there
        return absent - self._removal.removed(list(absent))

    def counts(self) -> list[Count]:
        """Return what was recorded by version."""
        query = "SELECT system, version, recorded, removed, newest FROM counts ORDER BY system, version"
        return [Count(*row) for row in self._db.read(query)]

    def joined(self) -> dict[str, int]:
        """Return how many rows have feedback, by system; under "" those whose prediction has not come yet."""
        return dict(self._db.read("SELECT system, COUNT(*) FROM feedback GROUP BY system"))

    def erase(self, *, system: str, subject: str, asked: float, hold: float = 0.0) -> Erasure:
        """Remove what was recorded of a person, also what was predicted until then and arrives later."""
        return self._removal.erase(system, subject, asked=asked, hold=hold)

    def erase_system(self, *, system: str, asked: float, hold: float = 0.0) -> Erasure:
        """Remove what was recorded of a system, also what was predicted until then and arrives later."""
        return self._removal.erase_system(system, asked=asked, hold=hold)

    def finish_erasures(self, now: float, *, forget: float) -> int:
        """Remove held records whose time has come; return how many went."""
        return self._removal.finish(now, forget)

    def prune(self, system: str, before: float) -> int:
        """Remove records from before a time, in seconds since 1970, with their feedback; return how many went."""
        return self._removal.prune(system, before)

    def prune_strays(self, before: float) -> int:
        """Remove feedback from before a time whose prediction never came; return how many rows went."""
        return self._removal.prune_strays(before)

    def size(self) -> int:
        """Return what it takes of the disk, in bytes."""
        return self._db.size() + self._groups.size()

    def shrink(self) -> None:
        """Give the disk back what removed records took, a bounded part at a time."""
        self._db.shrink()
        self._groups.shrink()

    def close(self) -> None:
        """Let go of files and connections."""
        self._db.close()
        self._groups.close()

    def _count(self, db: Writer, new: Sequence[Record]) -> None:
        by_version: dict[tuple[str, str], list[float]] = {}
        for one in new:
            by_version.setdefault((one.system, one.version), []).append(one.at)
        db.executemany(
            "INSERT INTO counts VALUES (?, ?, ?, 0, ?) ON CONFLICT (system, version) DO UPDATE SET "
            "recorded = counts.recorded + excluded.recorded, "
            "newest = CASE WHEN counts.newest > excluded.newest THEN counts.newest ELSE excluded.newest END",
            [(*key, len(times), max(times)) for key, times in by_version.items()],
        )

    def _queue(self, db: Writer, new: Sequence[Record]) -> None:
        waiting = [(row, one.system) for one in new for row in waiting_rows(one, self._shares.get(one.system, 0.0))]
        judged: set[tuple[str, int]] = set()
        for part in _parts(list({row.id for row, _ in waiting})):
            query = f"SELECT id, instance FROM feedback WHERE truth IS NOT NULL AND id IN ({marks(part)})"  # noqa: S608 - bound
            judged |= {(row[0], row[1]) for row in db.execute(query, part)}
        db.executemany(
            "INSERT INTO queue VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [
                (str(row.queue), system, row.id, row.instance, row.at, row.sampled)
                for row, system in waiting
                if (row.id, row.instance) not in judged
            ],
        )

    def _merge(self, db: Writer, one: Feedback) -> bool:
        key, said = (one.id, one.instance), Told.of(one)
        if said == Told():
            return False
        row = db.execute(f"SELECT {_TOLD} FROM feedback WHERE id = ? AND instance = ?", key).fetchone()  # noqa: S608 - bound
        there = told(row) if row else Told()
        merged = there.merged(said)
        if merged == there:
            return False
        system = db.execute("SELECT system FROM records WHERE id = ?", (one.id,)).fetchone()
        db.execute(
            "INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, instance) DO UPDATE SET "
            "system = excluded.system, at = excluded.at, truth = excluded.truth, reviewer = excluded.reviewer, "
            "sampled = excluded.sampled, rewarded = excluded.rewarded, reward = excluded.reward",
            (*key, system[0] if system else "", *judged_values(merged)),
        )
        if merged.judged:
            db.execute("DELETE FROM queue WHERE id = ? AND instance = ?", key)
        return True

    def _newest(
        self, where: str, values: Sequence[object], since: float, limit: int
    ) -> tuple[tuple[float, str, str], int] | None:
        """Return where the newest `limit` rows begin, and how many rows of that record come before; None: nowhere."""
        query = (
            f"SELECT at, id, version, rows FROM records WHERE {where} AND at >= ? "  # noqa: S608 - bound
            "ORDER BY at DESC, id DESC, version DESC LIMIT ?"
        )
        begins, counted = None, 0
        for at, request, version, rows in self._db.read(query, [*values, since, limit]):
            begins, counted = (at, request, version), counted + rows
            if counted >= limit:
                return begins, counted - limit
        return (begins, 0) if begins else None

    def _joined(self, rows: Sequence[tuple[Record, int]], *, groups: bool) -> Iterator[Known]:
        ids = list({one.id for one, _ in rows})
        query = f"SELECT id, instance, {_TOLD} FROM feedback WHERE id IN ({{}})"  # noqa: S608 - bound
        known = {(row[0], row[1]): told(row[2:]) for row in self._db.read_among(query, ids)}
        persons: Mapping[tuple[str, int], Grouped] = self._groups.of(ids) if groups else {}
        for record, number in rows:
            key = record.id, number
            feedback = known.get(key, Told()).feedback(record.id, number, persons.get(key))
            yield Known(record, number, feedback)


_TOLD = "at, truth, reviewer, sampled, rewarded, reward"


def rows_of(records: Iterable[Record]) -> list[tuple[Record, int]]:
    """Return the rows of records, each as its record and its number in that."""
    return [(one, number) for one in records for number in range(len(one.instances))]


def _line(one: Record, *, held: bool) -> Line:
    """Return a record as it lies in the table."""
    return Line(
        id=one.id,
        version=one.version,
        system=one.system,
        at=one.at,
        shadow=int(one.shadow),
        subject=one.subject,
        held=int(held),
        rows=len(one.instances),
        body=one.to_bytes(),
    )


def _parts(names: list[str]) -> Iterator[list[str]]:
    return (names[first : first + CHUNK] for first in range(0, len(names), CHUNK))
