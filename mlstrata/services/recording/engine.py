"""What keeps the tables of a store: one writer at a time, readers beside it, and statements that all engines know.

A statement has `?` where a value goes, and says what SQLite and Postgres both understand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

Key = tuple[str, str]
"""A request's id, and the version that answered."""
Row = tuple[Any, ...]


class Line(NamedTuple):
    """A record as it lies in the table; the fields are its columns."""

    id: str
    version: str
    system: str
    at: float
    shadow: int
    subject: str
    held: int
    rows: int
    body: bytes


COLUMNS = ", ".join(Line._fields)


class Rows(Protocol):
    """What a statement found."""

    def fetchone(self) -> Any:
        """Return the next row; None: there is none."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Go through the rows."""


class Writer(Protocol):
    """A transaction."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Rows:
        """Execute a statement."""

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Execute a statement for each row of values."""


class Engine(Protocol):
    """Keeps tables. Safe to call from several threads.

    Attributes:
        whole: What a record is selected from with its body.
    """

    whole: str

    def writing(self) -> AbstractContextManager[Writer]:
        """Begin a transaction of the one writer; it is kept once the block ends, or none of it is.

        Raises:
            StoreFullError: the disk is full.
            StoreAwayError: the engine does not answer.
        """

    def read(self, query: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a query; no writer waits for it, and it sees what was committed."""

    def read_among(self, query: str, names: Sequence[str], values: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield the rows of a query with `IN ({})` in it, however many names are asked for."""

    def insert(self, db: Writer, lines: Sequence[Line]) -> None:
        """Keep records that are not there yet, in a transaction."""

    def delete(self, db: Writer, keys: Sequence[Key]) -> None:
        """Remove records, in a transaction."""

    def empty_log(self) -> None:
        """Leave nothing of what was removed beside the tables."""

    def shrink(self) -> None:
        """Give room of what was removed back to the disk, a bounded part of it."""

    def size(self) -> int:
        """Return the bytes that it takes."""

    def close(self) -> None:
        """Close all connections."""


def marks(values: Sequence[object]) -> str:
    """Return the placeholders of so many values."""
    return ",".join("?" * len(values))


def pairs(keys: Sequence[Key]) -> str:
    """Return the placeholders of so many keys, for `(id, version) IN ({})`."""
    return f"VALUES {','.join(['(?, ?)'] * len(keys))}"
