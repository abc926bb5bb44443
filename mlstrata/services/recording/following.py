"""Reads a store from where it was read last: records in the order they came, and what was told of them.

Records are numbered as they are committed, one writer after the other. SQLite gives a number again where the newest
record was removed; so a reader begins anew once anything was removed, of whichever system.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from mlstrata.services.recording.engine import Engine, marks
from mlstrata.services.recording.record import Record
from mlstrata.services.recording.store import Cursor, StoreUnreadableError

CHUNK = 500
"""Records that are read at once: no reader keeps the file's log from being emptied for long."""


@dataclass(frozen=True)
class Followed:
    """Records since a cursor, as `store.News` has their rows."""

    cursor: Cursor
    new: tuple[Record, ...]
    told: tuple[Record, ...]
    anew: bool
    more: bool


def news(db: Engine, system: str, cursor: Cursor | None, *, since: float, versions: Collection[str]) -> Followed:
    """Return the records that came since a cursor, and those of which something was told.

    Raises:
        StoreUnreadableError: The file is of an older version.
    """
    try:
        return _news(db, system, cursor, since=since, versions=versions)
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        raise StoreUnreadableError(
            f"{error}: it was made by an older recorder; `mlstrata up` starts the one that brings it up to date"
        ) from error


def _news(db: Engine, system: str, cursor: Cursor | None, *, since: float, versions: Collection[str]) -> Followed:
    removed = _removed(db)
    # Before any record is looked for: what comes from here on is found the next time, or twice, and never not at all.
    (top,) = db.read("SELECT coalesce(MAX(rowid), 0) FROM records")[0]
    anew = cursor is None or cursor.removed != removed
    if cursor is None or anew:
        (told,) = db.read("SELECT coalesce(MAX(number), 0) FROM tellings")[0]
        first = db.read("SELECT MIN(rowid) FROM records WHERE system = ? AND at >= ?", (system, since))[0][0]
        cursor = Cursor(top if first is None else first - 1, told, removed)
    # `||` and `+`: not by the index over time, which would bring all of the system each time.
    which = f"system || '' = ? AND +at >= ? AND version IN ({marks(list(versions))}) AND held = 0 AND rows > 0"
    values = [system, since, *versions]
    query = (
        f"SELECT rowid, body FROM {db.whole} WHERE rowid > ? AND rowid <= ? AND {which} "  # noqa: S608 - bound
        "ORDER BY rowid LIMIT ?"
    )
    found = db.read(query, (cursor.records, top, *values, CHUNK))
    new = tuple(Record.from_bytes(body) for _, body in found)
    if len(found) == CHUNK:
        return Followed(Cursor(found[-1][0], cursor.told, removed), new, (), anew, more=True)
    tellings = db.read("SELECT number, id FROM tellings WHERE number > ? ORDER BY number LIMIT ?", (cursor.told, CHUNK))
    ids = [request for _, request in tellings]
    query = f"SELECT body FROM {db.whole} WHERE {which} AND +rowid <= ? AND id IN ({{}})"  # noqa: S608 - bound
    again = db.read_among(query, ids, (*values, cursor.records))
    told = tellings[-1][0] if tellings else cursor.told
    more = len(tellings) == CHUNK
    return Followed(
        Cursor(top, told, removed), new, tuple(Record.from_bytes(body) for (body,) in again), anew, more=more
    )


def _removed(db: Engine) -> str:
    """Return what changes once a record is removed, or held for the law alone."""
    (gone,) = db.read("SELECT coalesce(SUM(removed), 0) FROM counts")[0]
    asked = db.read("SELECT COUNT(*), coalesce(SUM(asked), 0.0) FROM erasures")[0]
    return f"{gone} {asked}"
