"""The file of the audit log: one line of canonical JSON an entry, each with the hash of the one before.

Beside it, `audit.head` names the last entry: without it, removing the newest entries would leave a whole chain.
Whoever may write both files can write a new history; `verify` sees through that only against a copy of the head that
was kept elsewhere, which is why each release and rollback prints it.

The head is written after its entry. A crash leaves at most an unfinished last line, which the next append removes, or
a head one entry behind, which the next append brings up to date.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlstrata import files
from mlstrata.audit.entry import Entry

HEAD = "audit.head"
_LOCK = "audit.lock"
FIRST = "0" * 64
"""What the first entry has in the place of the hash of the one before."""


@dataclass(frozen=True)
class Record:
    """An entry in its place in the chain.

    Attributes:
        number: its place, from 1.
        previous: hash of the entry before, hexadecimal.
        hash: sha256 over the canonical JSON of all else, hexadecimal.
        found: what its writer found wrong and mended: `unfinished_bytes` removed, `anchor` missing or unreadable.
        entry: what it says, as JSON values.
    """

    number: int
    previous: str
    hash: str
    found: dict[str, Any]
    entry: dict[str, Any]

    @classmethod
    def of(cls, number: int, previous: str, found: dict[str, Any], entry: dict[str, Any]) -> Record:
        """Return the record of `entry`, hashed."""
        body = {"number": number, "previous": previous, "found": found, "entry": entry}
        return cls(number, previous, hashlib.sha256(canonical(body)).hexdigest(), found, entry)

    def line(self) -> bytes:
        """Return its line, without the line's end."""
        return canonical(vars(self))

    def is_intact(self) -> bool:
        """Return whether its hash is that of its content."""
        return self == Record.of(self.number, self.previous, self.found, self.entry)


@dataclass(frozen=True)
class Appended:
    """What an append did.

    Attributes:
        record: the entry in the log; the one that was there when the decision is recorded already.
        warnings: what was found wrong with the log, a sentence each.
    """

    record: Record
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Head:
    """The anchor: the number and the hash of the last entry."""

    number: int
    hash: str


def canonical(document: dict[str, Any]) -> bytes:
    """Return the one spelling of `document`: sorted keys, no spaces, ASCII."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def parse(line: bytes) -> Record | None:
    """Return the record of a line; None when the line is not one that an append writes."""
    try:
        record = Record(**json.loads(line))
        spelled = record.line()
    except (ValueError, TypeError, RecursionError):
        return None
    typed = type(record.number) is int and isinstance(record.found, dict) and isinstance(record.entry, dict)
    return record if typed and spelled == line else None


def read_head(path: Path) -> Head | None:
    """Return the anchor of the log at `path`; None when there is none.

    Raises:
        ValueError: it is not what an append writes.
    """
    try:
        text = path.with_name(HEAD).read_bytes()
    except FileNotFoundError:
        return None
    try:
        head = Head(**json.loads(text))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{HEAD} cannot be read") from error
    if canonical(vars(head)) + b"\n" != text or type(head.number) is not int or head.number < 1:
        raise ValueError(f"{HEAD} is not as it was written")
    return head


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the complete lines of a log, and what follows the last of them."""
    *lines, rest = data.split(b"\n")
    return lines, rest


def read(path: Path) -> list[Record]:
    """Return the records that can be read, oldest first; `verify` says whether they are all and as written."""
    with locked(path, shared=True):
        lines, _ = split(_content(path))
    return [record for record in map(parse, lines) if record]


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the log's lock, waiting for it; a log whose folder does not exist has nobody to wait for."""
    if not path.parent.is_dir():
        yield
        return
    with files.locked(path.with_name(_LOCK), shared=shared):
        yield


class AuditLog:
    """Appends to the log at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ready(self) -> None:
        """See that an entry could be written.

        Raises:
            OSError: it could not.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self.path):
            os.close(self._open())

    def append(self, entry: Entry) -> Appended:
        """Write `entry` so that it survives a crash, once: a decision that has an entry gets no second one.

        A log that was tampered with is written to all the same, in a way that keeps the evidence.

        Raises:
            OSError: it could not be written; the log is as it was.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self.path):
            handle = self._open()
            try:
                return self._append(handle, entry)
            finally:
                os.close(handle)

    def _append(self, handle: int, entry: Entry) -> Appended:
        lines, rest = split(_content(self.path))
        records = [parse(line) for line in lines]
        found: dict[str, Any] = {}
        if rest:
            os.ftruncate(handle, sum(len(line) + 1 for line in lines))
            os.fsync(handle)
            found["unfinished_bytes"] = len(rest)
        last = self._last(records, found)
        warnings = [_SAID[name].format(value) for name, value in found.items()]
        for record in records:
            if record and record.entry.get("id") == entry.id:
                return Appended(record, tuple(warnings))
        newest = records[-1] if records else None
        if records and (newest is None or newest.hash != last.hash or not newest.is_intact()):
            warnings.append("the audit log's last entry is not the one that was written last; verify the log")
        record = Record.of(last.number + 1, last.hash, found, entry.model_dump(mode="json"))
        _write(handle, record.line() + b"\n")
        # The entry is kept from here on. A head that cannot follow it now is brought up to date by the next append.
        with suppress(OSError):
            self._write_head(Head(record.number, record.hash))
        return Appended(record, tuple(warnings))

    def _last(self, records: list[Record | None], found: dict[str, Any]) -> Head:
        """Return what to chain to: what the anchor names, so that a removed entry leaves a gap in the chain."""
        written = records[-1] if records else None
        try:
            head = read_head(self.path)
        except ValueError:
            head, found["anchor"] = None, "unreadable"
        if head is None:
            if not records:
                return Head(0, FIRST)
            # Only the very first append can die before there was a head.
            if len(records) > 1:
                found.setdefault("anchor", "missing")
            return Head(written.number, written.hash) if written else Head(len(records), FIRST)
        if written and written.is_intact() and (written.number, written.previous) == (head.number + 1, head.hash):
            head = Head(written.number, written.hash)
            self._write_head(head)
        return head

    def _open(self) -> int:
        is_new = not self.path.exists()
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if is_new:
            files.sync_folder(self.path.parent)
            files.sync_folder(self.path.parent.parent)
        return handle

    def _write_head(self, head: Head) -> None:
        files.write(self.path.with_name(HEAD), canonical(vars(head)) + b"\n", files.PRIVATE)
        files.sync_folder(self.path.parent)


_SAID = {
    "unfinished_bytes": "the audit log ended with an unfinished entry of {} bytes, which was removed",
    "anchor": f"{HEAD} was {{}}: entries may be missing from the audit log; verify the log",
}


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _write(handle: int, data: bytes) -> None:
    size = os.fstat(handle).st_size
    try:
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    except OSError:
        with suppress(OSError):
            os.ftruncate(handle, size)
        raise
