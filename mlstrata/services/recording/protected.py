"""Protected attributes of persons, kept apart: opened where fairness is measured, and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from mlstrata.services.recording.engine import Engine, marks
from mlstrata.services.recording.merging import Grouped

GROUPS_SCHEMA = """
CREATE TABLE IF NOT EXISTS groups (
    id TEXT NOT NULL, instance INTEGER NOT NULL, at REAL NOT NULL, groups TEXT NOT NULL,
    PRIMARY KEY (id, instance)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS groups_by_time ON groups (at)
"""
GROUPS_VERSION = 1
_KEEP = (
    "INSERT INTO groups VALUES (?, ?, ?, ?) "
    "ON CONFLICT (id, instance) DO UPDATE SET at = excluded.at, groups = excluded.groups"
)


class Protected:
    """The table. Safe to call from several threads; one that is not there is empty, and is made by the first row."""

    def __init__(self, opened: Callable[[bool], Engine | None]) -> None:
        """Begin.

        Args:
            opened: Opens what keeps it; told whether to make it, else it gives None where there is none.
        """
        self._opened = opened
        self._lock = threading.Lock()
        self._open: Engine | None = None

    def tell(self, rows: Iterable[tuple[str, int, Grouped]]) -> set[tuple[str, int]]:
        """Keep what is said of rows, where it is newer; return those that changed.

        Raises:
            StoreFullError: the disk is full; none was kept.
        """
        changed = set()
        database = self._database(make=True)
        assert database is not None  # noqa: S101 - it was made
        with database.writing() as db:
            for request, instance, said in rows:
                query = "SELECT at, groups FROM groups WHERE id = ? AND instance = ?"
                there = db.execute(query, (request, instance)).fetchone()
                if there is None or Grouped(*there) < said:
                    db.execute(_KEEP, (request, instance, *said))
                    changed.add((request, instance))
        return changed

    def of(self, requests: Sequence[str]) -> dict[tuple[str, int], Grouped]:
        """Return what is known of the rows of some requests."""
        database = self._database(make=False)
        if database is None:
            return {}
        query = "SELECT id, instance, at, groups FROM groups WHERE id IN ({})"
        return {(row[0], row[1]): Grouped(row[2], row[3]) for row in database.read_among(query, requests)}

    def before(self, time: float) -> list[str]:
        """Return the requests of which something was said before a time."""
        database = self._database(make=False)
        if database is None:
            return []
        return [row[0] for row in database.read("SELECT DISTINCT id FROM groups WHERE at < ?", (time,))]

    def remove(self, requests: Sequence[str]) -> None:
        """Remove what is known of some requests."""
        database = self._database(make=False)
        if database is None or not requests:
            return
        with database.writing() as db:
            db.execute(f"DELETE FROM groups WHERE id IN ({marks(requests)})", list(requests))  # noqa: S608 - bound

    def empty_log(self) -> None:
        """Leave nothing of what was removed beside the file."""
        if database := self._database(make=False):
            database.empty_log()

    def shrink(self) -> None:
        """Give free pages back to the disk, a bounded number."""
        if database := self._database(make=False):
            database.shrink()

    def size(self) -> int:
        """Return its bytes."""
        database = self._database(make=False)
        return database.size() if database else 0

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    def _database(self, *, make: bool) -> Engine | None:
        with self._lock:
            if self._open is None:
                self._open = self._opened(make)
            return self._open
