"""A schema of Postgres that several processes use: one transaction writes at a time, whoever begins it, others read.

Bodies of records lie apart from what is looked for in them, in a table for each day: what is old goes with its table.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from mlstrata.services.recording.address import Address
from mlstrata.services.recording.engine import Key, Line, Row, Writer, marks, pairs
from mlstrata.services.recording.store import StoreAwayError, StoreFullError, StoreRefusedError, StoreUnreadableError

if TYPE_CHECKING:
    from pg8000.native import Connection

DAY = 86_400
_LAST_DAY = 100_000
"""Days since 1970 that have tables of their own; what says that it is of another lies in one with all of these."""
_FULL, _BUSY = "53100", "55P03"
_NEVER = "22"
"""Class of what no table can hold, such as a zero character in a text."""
_DROPPED = 20
"""Tables of days that are removed at once: readers wait meanwhile."""
_PATIENCE_S = 60.0
_MOST_NAMES = 500
_READERS = 8
"""Queries at once, and connections that are kept for them: a server has a hundred for all who ask it."""
_SETTINGS = (
    f"SET statement_timeout = {int(_PATIENCE_S * 900)}; SET lock_timeout = {int(_PATIENCE_S * 900)}; "
    # Bodies are looked for by their keys, a bounded number at a time: never by reading all days.
    "SET enable_hashjoin = off; SET enable_mergejoin = off"
)


class PostgresDatabase:
    """One schema. Safe to call from several threads.

    Attributes:
        whole: What a record is selected from with its body.
    """

    whole = "records JOIN bodies USING (at, id, version)"

    def __init__(
        self, address: Address, schema: str, tables: str, version: int, *, read_only: bool = False, make: bool = True
    ) -> None:
        """Open it, and make it where there is none.

        Args:
            address: Where the server is, and who asks it.
            schema: Its name.
            tables: Statements that make its tables where they are not.
            version: Of these.
            read_only: Write nothing; the server holds us to it.
            make: Make it where there is none.

        Raises:
            FileNotFoundError: There is none, and none is to be made.
            StoreAwayError: The server does not answer or lets nobody in.
            StoreUnreadableError: It is one of a newer program.
        """
        self._address, self._schema, self._read_only = address, schema, read_only
        self._idle: list[Connection] = []
        self._lock, self._writing = threading.Lock(), threading.RLock()
        self._reading = threading.BoundedSemaphore(_READERS)
        self._writer: Connection | None = None
        self._closed = False
        try:
            self._prepare(tables, version, make=make and not read_only)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Begin a transaction of the one writer; it is on the server's disk once the block ends, or none of it is.

        Raises:
            StoreFullError: The server's disk is full.
            StoreAwayError: The server does not answer; sent again, all of it is kept.
            StoreRefusedError: It can never be kept.
        """
        with self._writing:
            if self._writer is None:
                self._writer = self._connect()
            connection = self._writer
            with self._understood(connection):
                try:
                    connection.execute_simple("BEGIN")
                    if not self._read_only:
                        # Whoever follows the store reads numbers in the order in which they become visible.
                        lock = "SELECT pg_advisory_xact_lock(hashtext('mlstrata'), hashtext(current_schema()))"
                        connection.execute_simple(lock)
                    yield Transaction(connection)
                    connection.execute_simple("COMMIT")
                except BaseException:
                    self._undo(connection)
                    raise

    def read(self, query: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a query; no writer waits for it, and it sees what was committed.

        Raises:
            StoreAwayError: The server does not answer.
        """
        with self._reading:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            try:
                return self._asked(kept or self._connect(), query, values)
            except StoreAwayError:
                if kept is None:
                    raise
            # It may have been cut off long ago, such as when another server took over.
            return self._asked(self._connect(), query, values)

    def read_among(self, query: str, names: Sequence[str], values: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield the rows of a query with `IN ({})` in it, however many names are asked for."""
        for first in range(0, len(names), _MOST_NAMES):
            part = names[first : first + _MOST_NAMES]
            yield from self.read(query.format(marks(part)), [*values, *part])

    def insert(self, db: Writer, lines: Sequence[Line]) -> None:
        """Keep records that are not there yet, in a transaction."""
        if not lines:
            return
        self._make_days(db, {day for one in lines if (day := day_of(one.at)) is not None})
        ids, versions, systems, ats, *rest, bodies = (list(column) for column in zip(*lines, strict=True))
        shadows, subjects, helds, rows = rest
        db.execute(
            "INSERT INTO records (id, version, system, at, shadow, subject, held, rows) SELECT * FROM unnest("
            "?::text[], ?::text[], ?::text[], ?::float8[], ?::int[], ?::text[], ?::int[], ?::int[])",
            [ids, versions, systems, ats, shadows, subjects, helds, rows],
        )
        db.execute(
            "INSERT INTO bodies (at, id, version, body) "
            "SELECT * FROM unnest(?::float8[], ?::text[], ?::text[], ?::bytea[])",
            [ats, ids, versions, bodies],
        )

    def delete(self, db: Writer, keys: Sequence[Key]) -> None:
        """Remove records, in a transaction."""
        values = [part for key in keys for part in key]
        gone = db.execute(
            f"DELETE FROM records WHERE (id, version) IN ({pairs(keys)}) RETURNING at, id, version",  # noqa: S608 - bound
            values,
        ).fetchall()
        if gone:
            # With the time, so that only the tables of these days are looked into.
            ats, ids, versions = (list(column) for column in zip(*gone, strict=True))
            db.execute(
                "DELETE FROM bodies USING unnest(?::float8[], ?::text[], ?::text[]) AS gone (at, id, version) "
                "WHERE bodies.at = gone.at AND bodies.id = gone.id AND bodies.version = gone.version",
                [ats, ids, versions],
            )

    def empty_log(self) -> None:
        """Have the server take what was removed out of its tables; its log and copies keep it as long as they do."""
        if self._read_only:
            return
        with closing(self._connect(patience=None)) as connection, self._understood(None):
            connection.execute_simple("SET statement_timeout = 0")
            for table in self._tables("relkind IN ('r', 'p') AND NOT relispartition"):
                connection.execute_simple(f"VACUUM {table}")

    def shrink(self) -> None:
        """Remove tables of days of which nothing is left, a bounded number."""
        for table in self._tables("relispartition AND relkind = 'r' AND relname ~ '^bodies_[0-9]+$'")[:_DROPPED]:
            with self._writing:
                if self.read(f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608 - ours
                    continue
                try:
                    with self.writing() as db:
                        # Nobody waits long for it: the next round tries again.
                        db.execute("SET LOCAL lock_timeout = 2000")
                        # Another writer may have come meanwhile; none can now.
                        if db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is None:  # noqa: S608 - ours
                            db.execute(f"DROP TABLE {table}")
                except StoreAwayError as error:
                    if _BUSY not in str(error):
                        raise

    def size(self) -> int:
        """Return the bytes of the schema's tables and indexes."""
        query = (
            "SELECT coalesce(SUM(pg_total_relation_size(oid)), 0)::bigint FROM pg_class "
            "WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
        )
        return int(self.read(query)[0][0])

    def close(self) -> None:
        """Close all connections; a reader that is under way closes its own."""
        with self._writing, self._lock:
            self._closed = True
            for one in (*self._idle, *([self._writer] if self._writer else [])):
                _end(one)
            self._idle.clear()
            self._writer = None

    def _asked(self, connection: Connection, query: str, values: Sequence[Any]) -> list[Row]:
        with self._understood(connection):
            found = _execute(connection, query, values)
        with self._lock:
            if self._closed:
                _end(connection)
            else:
                self._idle.append(connection)
        return found

    def _tables(self, which: str) -> list[str]:
        query = (
            f"SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND {which} ORDER BY 1"  # noqa: S608 - ours
        )
        return [str(row[0]) for row in self.read(query)]

    def _make_days(self, db: Writer, days: Iterable[int]) -> None:
        for day in sorted(days):
            # Asked each time: another process may have removed one that was empty.
            if db.execute("SELECT to_regclass(?)::text", [f"bodies_{day}"]).fetchone() == (None,):
                ends = f"FROM ({day * DAY}) TO ({(day + 1) * DAY})"
                db.execute(f"CREATE TABLE bodies_{day} PARTITION OF bodies FOR VALUES {ends}")

    def _prepare(self, tables: str, version: int, *, make: bool) -> None:
        if not re.fullmatch("[a-z]+", self._schema):
            raise ValueError(f"schema: got {self._schema!r}; allowed lower-case letters")
        there = self._version()
        if there is not None and there > version:
            raise StoreUnreadableError(
                f"{self._address}: schema {self._schema} has version {there}; this program knows up to {version}: "
                "use the newer one"
            )
        if there is None and not make:
            raise FileNotFoundError(f"{self._address}: there is no schema {self._schema} yet")
        if not self._read_only and (there or 0) < version:
            with self.writing() as db:
                # Two that start at once: the lock is by the schema's name, which is not there yet.
                db.execute("SELECT pg_advisory_xact_lock(hashtext('mlstrata'), 0)")
                db.execute(f"CREATE SCHEMA IF NOT EXISTS {self._schema}")
                db.script(f"{tables}; DELETE FROM layout; INSERT INTO layout VALUES ({version})")  # noqa: S608 - ours

    def _version(self) -> int | None:
        """Return the version of what is there; None: nothing is."""
        (found,) = self.read("SELECT to_regclass(?)::text", [f"{self._schema}.layout"])
        if found[0] is None:
            return None
        rows = self.read("SELECT version FROM layout")
        return int(rows[0][0]) if rows else 0

    def _connect(self, patience: float | None = _PATIENCE_S) -> Connection:
        with self._understood(None):
            connection = self._address.connect(patience)
            try:
                read_only = "; SET default_transaction_read_only = on" if self._read_only else ""
                connection.execute_simple(f"SET search_path TO {self._schema}; {_SETTINGS}{read_only}")
            except BaseException:
                _end(connection)
                raise
            return connection

    def _undo(self, connection: Connection) -> None:
        try:
            connection.execute_simple("ROLLBACK")
        except Exception:  # noqa: BLE001 - it is not used again, whatever it has
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        _end(connection)
        if connection is self._writer:
            self._writer = None

    @contextmanager
    def _understood(self, connection: Connection | None) -> Iterator[None]:
        """Say of what Postgres says what it means here; a connection that broke is let go."""
        from pg8000.exceptions import DatabaseError, InterfaceError

        try:
            yield
        except DatabaseError as error:
            said: dict[str, str] = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
            code, message = said.get("C", ""), said.get("M", str(error))
            if connection is not None and connection is not self._writer:
                _end(connection)
            if code == _FULL:
                raise StoreFullError(f"{self._address}: its disk is full; make room, nothing is lost") from error
            if code.startswith(_NEVER):
                raise StoreRefusedError(f"{message} ({code})") from error
            raise StoreAwayError(f"{self._address}: {message} ({code})") from error
        except (InterfaceError, OSError) as error:
            if connection is not None:
                self._drop(connection)
            raise StoreAwayError(f"{self._address}: it does not answer: {error.__cause__ or error}") from error


class Transaction:
    """A transaction of the one writer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Found:
        """Execute a statement."""
        return Found(_execute(self._connection, statement, values))

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement for each row of values."""
        for row in rows:
            _execute(self._connection, statement, row)

    def script(self, statements: str) -> None:
        """Execute several statements without values."""
        self._connection.execute_simple(statements)


class Found:
    """Rows that a statement found."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = iter(rows)

    def fetchone(self) -> Any:
        """Return the next row; None: there is none."""
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        return list(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows


def day_of(at: float) -> int | None:
    """Return the day since 1970 whose table a moment's records lie in; None: none of its own."""
    return int(at // DAY) if 0 <= at < _LAST_DAY * DAY else None


def _execute(connection: Connection, statement: str, values: Sequence[Any]) -> list[Row]:
    numbered = statement.split("?")
    text = "".join(f"{part}${at}" for at, part in enumerate(numbered[:-1], 1)) + numbered[-1]
    return [tuple(row) for row in connection.execute_unnamed(text, vals=tuple(values)).rows or ()]


def _end(connection: Connection) -> None:
    with suppress(Exception):  # what is broken already needs no end
        connection.close()
