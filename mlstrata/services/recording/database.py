"""An SQLite file that several threads use: one connection that writes, some that read, nothing lost that was said."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlstrata.files import PRIVATE, private_folder
from mlstrata.services.recording.engine import COLUMNS, Key, Line, Writer, marks, pairs
from mlstrata.services.recording.store import StoreFullError, StoreUnreadableError

_WAIT_SECONDS = 60.0
"""How long a writer waits for one in another process, such as a command's."""
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)
"""How SQLite says that the disk takes no more: as such, or as a write that failed."""
PAGES = 2_000
"""Pages that one step gives back to the disk: 8 MB, so that no writer waits long."""


class Database:
    """One file. Safe to call from several threads.

    Attributes:
        path: Where it is.
        whole: What a record is selected from with its body.
    """

    whole = "records"

    def __init__(self, path: Path, schema: str, version: int, *, read_only: bool = False) -> None:
        """Open it, and make it where there is none.

        Args:
            path: Where; its folder is made, for its owner alone.
            schema: Statements that make its tables where they are not.
            version: Of the schema.
            read_only: Write nothing.

        Raises:
            FileNotFoundError: there is none, and nothing is to be written.
            StoreUnreadableError: it is no such file, or one of a newer version.
        """
        self.path = path
        self._read_only = read_only
        self._idle: list[sqlite3.Connection] = []
        self._lock, self._writing = threading.Lock(), threading.RLock()
        self._closed = False
        if read_only and not path.is_file():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        if not read_only:
            private_folder(path.parent)
            # Made here, not by SQLite: what lies beside it takes over its permissions.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE))
        try:
            self._writer = self._connect(writes=not read_only)
            self._prepare(schema, version)
        except sqlite3.DatabaseError as error:
            raise StoreUnreadableError(f"{path}: cannot be opened as a store of predictions: {error}") from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Begin a transaction of the one writer; it is on the disk once the block ends, or none of it is.

        Raises:
            StoreFullError: the disk is full.
        """
        with self._writing:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                self._writer.execute("COMMIT")
            except sqlite3.OperationalError as error:
                self._undo()
                if error.sqlite_errorcode in _FULL:
                    raise StoreFullError(f"{self.path}: the disk is full; make room, nothing is lost") from error
                raise
            except BaseException:
                self._undo()
                raise

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; no writer waits for it, and it sees what was committed."""
        with self._lock:
            reader = self._idle.pop() if self._idle else None
        reader = reader or self._connect(writes=False)
        try:
            return reader.execute(query, values).fetchall()
        finally:
            with self._lock:
                if self._closed:
                    reader.close()
                else:
                    self._idle.append(reader)

    def read_among(self, query: str, names: Sequence[str], values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query with `IN ({})` in it, however many names are asked for."""
        for first in range(0, len(names), _MOST_NAMES):
            part = names[first : first + _MOST_NAMES]
            yield from self.read(query.format(marks(part)), [*values, *part])

    def insert(self, db: Writer, lines: Sequence[Line]) -> None:
        """Keep records that are not there yet, in a transaction."""
        db.executemany(f"INSERT INTO records ({COLUMNS}) VALUES ({marks(COLUMNS.split(','))})", lines)  # noqa: S608 - ours

    def delete(self, db: Writer, keys: Sequence[Key]) -> None:
        """Remove records, in a transaction."""
        values = [part for key in keys for part in key]
        db.execute(f"DELETE FROM records WHERE (id, version) IN ({pairs(keys)})", values)  # noqa: S608 - bound

    def empty_log(self) -> None:
        """Write what was committed into the file itself, and nothing of what was removed stays beside it."""
        with self._writing:
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def shrink(self) -> None:
        """Give free pages back to the disk, a bounded number."""
        with self._writing:
            # `execute` would take one step of it, which frees one page.
            self._writer.executescript(f"PRAGMA incremental_vacuum({PAGES})")
        self.empty_log()

    def size(self) -> int:
        """Return the bytes of the file and of what lies beside it."""
        beside = (self.path.with_name(self.path.name + end) for end in ("", "-wal", "-shm"))
        return sum(one.stat().st_size for one in beside if one.is_file())

    def close(self) -> None:
        """Close all connections; a reader that is under way closes its own."""
        with self._writing, self._lock:
            self._closed = True
            for one in (*self._idle, self._writer):
                one.close()
            self._idle.clear()

    def _connect(self, *, writes: bool) -> sqlite3.Connection:
        address = f"{self.path.absolute().as_uri()}?mode={'rw' if writes else 'ro'}"
        return sqlite3.connect(address, uri=True, isolation_level=None, timeout=_WAIT_SECONDS, check_same_thread=False)

    def _prepare(self, schema: str, version: int) -> None:
        there = int(self._writer.execute("PRAGMA user_version").fetchone()[0])
        if there > version:
            raise StoreUnreadableError(
                f"{self.path}: has version {there}; this program knows up to {version}: use the newer one"
            )
        if self._read_only:
            return
        # Before the first table, or it has no effect.
        self._writer.execute("PRAGMA auto_vacuum=INCREMENTAL")
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute("PRAGMA synchronous=FULL")
        # What is erased is overwritten, not only unlinked.
        self._writer.execute("PRAGMA secure_delete=ON")
        if there < version:
            with self._writing:
                self._writer.executescript(f"BEGIN IMMEDIATE; {schema}; PRAGMA user_version={version}; COMMIT;")

    def _undo(self) -> None:
        # Of some errors SQLite has rolled back already.
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")


_MOST_NAMES = 500
