"""What is on disk before an answer goes out: records in segments, until the store has committed them.

A record is numbered, and acknowledged once it outlives what `durability` says: with `group` a loss of power, since one
thread syncs for all that wait at the moment; with `interval` the end of the process, and a loss of power that comes
later than the interval. What is acknowledged is read in order, and goes when the reader says that the store has
committed it. A reader that remembers how far it came (the watermark, which `trim` writes down) meets no record twice.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from mlstrata.files import private_folder
from mlstrata.services.recording.segments import HEAD, LONGEST, Segment, number_of, synced
from mlstrata.services.recording.spill_folder import (
    LOCK,
    WATERMARK,
    Batch,
    Durability,
    SpillError,
    SpillFullError,
    held,
    note,
    noted,
)

LIMIT, SEGMENT = 512 * 2**20, 4 * 2**20
"""Bytes of a spill, and of one of its segments, where nobody says otherwise."""
_OLD_S = 60.0
"""A segment of which all is committed is removed after so many seconds, full or not: what is erased must be gone."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
__all__ = ["Batch", "Durability", "Spill", "SpillError", "SpillFullError"]
_log = logging.getLogger(__name__)


class Spill:
    """The records of one process, in a folder of its own. Safe to append from several threads; one reads and trims.

    Attributes:
        folder: Where they are.
        damaged: Acknowledged records that could not be read any more, as the disk changed them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        wait_s: float,
        durability: Durability = Durability.GROUP,
        limit: int = LIMIT,
        segment: int = SEGMENT,
        interval_s: float = 1.0,
        sync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        """Open a folder, or go on with what a process left in it.

        Args:
            folder: Made, for its owner alone, where it is not there.
            wait_s: Seconds to wait for a process that still has it, until it has answered.
            durability: What an acknowledged record outlives.
            limit: Bytes it may hold in all.
            segment: Bytes after which another file is begun.
            interval_s: Seconds between two syncs with `interval`.
            sync: Has an open file's data survive a loss of power; a test puts its own here.

        Raises:
            SpillError: Another process has it, or it cannot be read or written.
        """
        self.folder, self._durability, self._limit, self._segment = folder, durability, limit, segment
        self._interval_s, self._sync = interval_s, sync
        self._changed = threading.Condition()
        self._segments: list[Segment] = []
        self._open: Segment | None = None
        self._begun_at = 0.0
        self._retired: list[Segment] = []
        self._waiting: list[tuple[int, Future[int]]] = []
        self._new_name = False
        self._closed = False
        self._cursor = (0, 0)
        self._next = self._readable = self._committed = self._noted = self._synced = 0
        self.damaged = self._told_lost = 0
        try:
            private_folder(folder)
            self._lock = held(folder / LOCK, wait_s)
            self._recover()
        except OSError as error:
            raise SpillError(f"{folder} cannot be used: {error.strerror or error}") from error
        self._committer = threading.Thread(target=self._commit, name="spill-committer", daemon=True)
        self._committer.start()

    def append(self, payload: bytes) -> Future[int]:
        """Write a record; what is returned is done, with its number, once it is acknowledged.

        Raises:
            SpillFullError: There is no room for it.
            SpillError: It cannot be written; in the future: it could not be synced, and may be lost.
        """
        if not 0 < len(payload) <= LONGEST:
            raise SpillError(f"a record has {len(payload)} bytes; allowed 1 to {LONGEST}")
        acknowledged: Future[int] = Future()
        with self._changed:
            if self._closed:
                raise SpillError(f"{self.folder} is closed")
            if self.used + HEAD.size + len(payload) > self._limit:
                raise SpillFullError(f"{self.folder} holds {self.used} bytes of {self._limit}")
            try:
                segment = self._segment_for(HEAD.size + len(payload))
                segment.append(payload)
            except OSError as error:
                if error.errno in _FULL:
                    raise SpillFullError(f"{self.folder}: {error.strerror}") from error
                raise SpillError(f"{self.folder} cannot be written: {error.strerror}") from error
            self._next += 1
            if self._durability is Durability.GROUP:
                self._waiting.append((self._next, acknowledged))
            else:
                self._readable = self._next
                acknowledged.set_result(self._next - 1)
            self._changed.notify_all()
        return acknowledged

    @property
    def used(self) -> int:
        """Return the bytes of all records that are not removed yet."""
        return sum(one.size for one in self._segments)

    @property
    def pending(self) -> int:
        """Return how many records are not committed yet."""
        return self._next - self._committed

    @property
    def committed(self) -> int:
        """Return the watermark: the number after the last record that is committed."""
        return self._committed

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to read; return whether there is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._readable > self._committed or self._closed, seconds)

    def read(self, most: int = 500, most_bytes: int = 2**22) -> Batch:
        """Return acknowledged records after the watermark, oldest first; the same ones until it is moved.

        Raises:
            SpillError: A file cannot be read.
        """
        with self._changed:
            number, readable = self._committed, self._readable
            segments = list(self._segments)
        for segment in segments:
            if segment.end <= number or number >= readable:
                continue
            if number < segment.first:
                number = self._lost(segment.path, number, segment.first)
            at = self._offset(segment, number)
            try:
                payloads, _ = segment.read(number, at, min(most, readable - number), most_bytes)
            except OSError as error:
                raise SpillError(f"{segment.path} cannot be read: {error.strerror}") from error
            if payloads:
                return Batch(tuple(payloads), number + len(payloads))
            # Its disk changed what was whole; what lies behind it in this file cannot be told apart any more.
            number = self._lost(segment.path, number, min(segment.end, readable))
        return Batch((), number)

    def _lost(self, path: Path, number: int, upto: int) -> int:
        if upto > self._told_lost:
            self.damaged += upto - number
            self._told_lost = upto
            _log.error("%s: records %d to %d cannot be read any more", path, number, upto - 1)
        return upto

    def trim(self, upto: int) -> None:
        """Note that the store has committed all before the record `upto`, and remove what nobody needs any more.

        Raises:
            SpillError: It cannot be written down; the records will be read again.
        """
        with self._changed:
            if not self._committed <= upto <= self._readable:
                raise SpillError(f"watermark {upto}: allowed {self._committed} to {self._readable}")
            self._committed = upto
            if upto == self._next and time.monotonic() - self._begun_at > _OLD_S:
                self._retire()
            # What is not synced yet has its file open, and goes the next time.
            gone = [one for one in self._segments if one.end <= upto and one.handle is None]
            self._segments = [one for one in self._segments if one not in gone]
        try:
            if upto != self._noted:
                note(self.folder / WATERMARK, upto)
                self._noted = upto
            for one in gone:
                one.remove()
        except OSError as error:
            raise SpillError(f"{self.folder} cannot be trimmed: {error.strerror}") from error

    def close(self) -> None:
        """Sync, and let another process have it; records stay until they are committed."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        self._committer.join()
        with self._changed:
            if self._open is not None:
                self._open.finish()
                self._open = None
        self._lock.close()

    def _recover(self) -> None:
        """Read what is there: the records, and how far they are committed."""
        for path in sorted(self.folder.iterdir()):
            if (first := number_of(path)) is None:
                continue
            segment, cut = Segment.recover(path, first)
            if cut:
                _log.warning("%s: %d bytes at its end were no whole record, and are cut off", path, cut)
            if segment.count:
                self._segments.append(segment)
            else:
                segment.remove()
        self._committed = self._noted = noted(self.folder / WATERMARK)
        # Of two segments that meet, neither begins before the other's end.
        self._next = max([self._committed, *(one.end for one in self._segments)])
        self._readable = self._synced = self._next
        if self._segments:
            # All before it was committed, though the word of it was lost.
            self._committed = max(self._committed, self._segments[0].first)

    def _segment_for(self, size: int) -> Segment:
        if self._open is not None and self._open.count and self._open.size + size > self._segment:
            self._retire()
        if self._open is None:
            self._open = Segment.create(self.folder, self._next, max(size, min(self._segment, self._limit)))
            self._segments.append(self._open)
            self._begun_at = time.monotonic()
            self._new_name = True
        return self._open

    def _retire(self) -> None:
        """Write no more into the open segment; whoever syncs closes it."""
        if self._open is not None:
            self._retired.append(self._open)
            self._open = None

    def _offset(self, segment: Segment, number: int) -> int:
        """Return where a frame begins: remembered, where reading goes on."""
        if number == segment.first:
            return 0
        known, at = self._cursor
        if not segment.first <= known <= number:
            known, at = segment.first, 0
        if known < number:
            _, at = segment.read(known, at, number - known, segment.size)
        self._cursor = (number, at)
        return at

    def _commit(self) -> None:
        """Sync for all that wait at the moment, again and again: while it does, the next ones gather."""
        timed = self._durability is Durability.INTERVAL
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closed or (self._next > self._synced and not timed), self._interval_s
                )
                closed, upto = self._closed, self._next
                retired, self._retired = self._retired, []
                current = self._open
                new_name, self._new_name = self._new_name, False
                waiting, self._waiting = self._waiting, []
            written = [*retired, *([current] if current else [])]
            failure = synced(self.folder, written, self._sync, new_name) if upto > self._synced else None
            for one in retired:
                one.finish()
            self._synced = upto
            with self._changed:
                # What could not be synced may be there all the same, and then it is read.
                self._readable = max(self._readable, upto)
                if failure is not None:
                    self._retire()
                self._changed.notify_all()
            for number, acknowledged in waiting:
                if not acknowledged.set_running_or_notify_cancel():
                    continue  # who waited for it is gone
                if failure is None:
                    acknowledged.set_result(number - 1)
                else:
                    acknowledged.set_exception(SpillError(f"{self.folder} cannot be synced: {failure.strerror}"))
            if closed:
                return
