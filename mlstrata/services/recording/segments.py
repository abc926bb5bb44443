"""A file of frames: what was written of it is whole, or is cut off when it is opened again.

A frame is its payload's length and a CRC-32, both 32 bits little-endian, then the payload. The CRC is of the frame's
number, its length and its payload: neither zeros, nor what an earlier attempt left behind, nor a frame of another place
passes for one. A file is named by the number of its first frame.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mlstrata.files import sync_folder

SUFFIX = ".segment"
HEAD = struct.Struct("<II")
LONGEST = 2**28
"""Bytes of a payload at most: a length above is none, whatever bytes say it."""
_NUMBERED = struct.Struct("<QI")
_log = logging.getLogger(__name__)
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}
_NAME = re.compile(rf"([0-9]{{20}}){re.escape(SUFFIX)}")


def frame(number: int, payload: bytes) -> bytes:
    """Return the frame of a payload.

    Args:
        number: Its place among all frames of the folder, from 0.
        payload: What is kept, at least one byte.
    """
    return HEAD.pack(len(payload), _check(number, payload)) + payload


def frames(data: bytes, number: int, at: int = 0) -> Iterator[tuple[bytes, int]]:
    """Yield each payload with the offset where its frame ends, until one is not whole.

    Args:
        data: A segment's bytes.
        number: The number of the frame that begins at `at`.
        at: Where to begin.
    """
    while at + HEAD.size <= len(data):
        length, check = HEAD.unpack_from(data, at)
        end = at + HEAD.size + length
        if not 0 < length <= LONGEST or end > len(data):
            return
        payload = data[at + HEAD.size : end]
        if _check(number, payload) != check:
            return
        yield payload, end
        number, at = number + 1, end


def _check(number: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_NUMBERED.pack(number, len(payload))))


def number_of(path: Path) -> int | None:
    """Return the number of a segment's first frame; None of a file that is none."""
    found = _NAME.fullmatch(path.name)
    return int(found[1]) if found else None


class Segment:
    """One file of frames.

    Attributes:
        path: The file.
        first: The number of its first frame.
        count: How many frames are in it.
        size: Bytes of those frames; what is behind them in the file is room.
    """

    def __init__(self, path: Path, first: int, *, count: int = 0, size: int = 0) -> None:
        self.path, self.first, self.count, self.size = path, first, count, size
        self._handle: int | None = None

    @classmethod
    def create(cls, folder: Path, first: int, room: int) -> Segment:
        """Make an empty segment with room on the disk for so many bytes: a sync then has no new size to write down.

        Raises:
            OSError: It cannot be made, such as ENOSPC; no file is left.
        """
        segment = cls(folder / f"{first:020d}{SUFFIX}", first)
        segment._handle = os.open(segment.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(segment._handle, 0, room)
        except OSError as error:
            # Where a file system has no such thing, each sync writes the size down, and is as good.
            if error.errno not in _UNSUPPORTED:
                segment.remove()
                raise
        return segment

    @classmethod
    def recover(cls, path: Path, first: int) -> tuple[Segment, int]:
        """Read a segment as a process left it, and cut off what is no whole frame.

        Returns:
            The segment, and how many bytes that hold anything were cut off.

        Raises:
            OSError: It cannot be read or cut.
        """
        data = path.read_bytes()
        count, size = 0, 0
        for _, end in frames(data, first):
            count, size = count + 1, end
        if size < len(data):
            os.truncate(path, size)
        return cls(path, first, count=count, size=size), len(data[size:].rstrip(b"\0"))

    @property
    def end(self) -> int:
        """Return the number of the frame after its last."""
        return self.first + self.count

    @property
    def handle(self) -> int | None:
        """Return its open file; None once it is only read."""
        return self._handle

    def append(self, payload: bytes) -> None:
        """Write a frame; what a failed attempt wrote of one is written over by the next.

        Raises:
            OSError: It is not written, such as ENOSPC.
        """
        if self._handle is None:
            raise ValueError(f"{self.path} is only read any more")
        data = memoryview(frame(self.end, payload))
        at = self.size
        while data:
            written = os.pwrite(self._handle, data, at)
            data, at = data[written:], at + written
        self.count, self.size = self.count + 1, at

    def finish(self) -> None:
        """Let go of its file and of the room behind its frames; it is only read from now on."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            try:
                # Room that cannot be given back is no loss.
                with suppress(OSError):
                    os.ftruncate(handle, self.size)
            finally:
                os.close(handle)

    def remove(self) -> None:
        """Remove the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self.path.unlink(missing_ok=True)

    def read(self, number: int, at: int, most: int, most_bytes: int) -> tuple[list[bytes], int]:
        """Read frames.

        Args:
            number: The frame that begins at `at`.
            at: Offset in the file.
            most: So many frames at most.
            most_bytes: Enough, once so many bytes are read; one frame is read however long it is.

        Returns:
            The payloads, and where the last one's frame ends.

        Raises:
            OSError: The file cannot be read.
        """
        found: list[bytes] = []
        with self.path.open("rb") as file:
            file.seek(at)
            left = self.size - at
            data = file.read(min(left, most_bytes + HEAD.size))
            if len(data) >= HEAD.size and (needed := HEAD.size + HEAD.unpack_from(data)[0]) > len(data):
                data += file.read(min(left - len(data), needed - len(data)))
        end = 0
        for payload, behind in frames(data, number):
            found.append(payload)
            end = behind
            if len(found) == most:
                break
        return found, at + end


def synced(folder: Path, segments: Iterable[Segment], sync: Callable[[int], None], new_name: bool) -> OSError | None:
    """Have segments survive a loss of power, and the name of a new one; return what went wrong."""
    try:
        for one in segments:
            if one.handle is not None:
                sync(one.handle)
        if new_name:
            sync_folder(folder)
    except OSError as error:
        _log.error("%s cannot be synced: %s", folder, error)
        return error
    return None
