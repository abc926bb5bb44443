"""The gateway's access log as files, and how all of it is read, each line once.

Beside the log that Envoy writes lie, at most, one that it is letting go of, and the archives. A file only ever moves
forward: `access.log` -> `access-closing.log` -> `access-<when it was closed>.log` -> the same with `.gz` -> removed.
Only the standard library: what archives runs where little memory is to be held.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

Stream = BufferedReader | gzip.GzipFile
_STAMP = "%Y%m%dT%H%M%S.%fZ"
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
"""What reading an archive raises that is not as it was written."""


class LogDamagedError(Exception):
    """An archive is not as it was written; the message names it."""


@dataclass(frozen=True, order=True)
class Archive:
    """A part of the log that is closed.

    Attributes:
        closed: When Envoy let go of it, UTC: no line of it began later.
        plain: Where it lies before it is compressed.
    """

    closed: datetime
    plain: Path

    @classmethod
    def of(cls, log: Path, closed: datetime) -> Archive:
        """Return the archive of a log that was closed then."""
        return cls(closed, log.with_name(f"{log.stem}-{closed.strftime(_STAMP)}{log.suffix}"))

    @property
    def packed(self) -> Path:
        """Where it lies compressed."""
        return self.plain.with_name(f"{self.plain.name}.gz")

    @property
    def unfinished(self) -> Path:
        """Where it lies while it is compressed; whoever reads passes over it."""
        return self.plain.with_name(f".{self.plain.name}.gz.part")


def closing(log: Path) -> Path:
    """Return where a log lies from its renaming until Envoy writes to it no more."""
    return log.with_name(f"{log.stem}-closing{log.suffix}")


def archives(log: Path) -> list[Archive]:
    """Return the archives of a log, the oldest first, compressed or not.

    A listing may pass over what is renamed while it is made; what two in a row say is so.
    """
    before, found = None, _listed(log)
    while found != before:
        before, found = found, _listed(log)
    return sorted(found)


def _listed(log: Path) -> set[Archive]:
    name = re.compile(re.escape(log.stem) + r"-([0-9]{8}T[0-9]{6}\.[0-9]{6}Z)" + re.escape(log.suffix) + r"(?:\.gz)?")
    found = set()
    with suppress(FileNotFoundError):
        for entry in log.parent.iterdir():
            # A name of the right form may still be no time, such as a 30th of February.
            with suppress(ValueError):
                if match := name.fullmatch(entry.name):
                    closed = datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)
                    found.add(Archive.of(log, closed))
    return found


def streams(log: Path, since: datetime | None = None) -> Iterator[Stream]:
    """Open, one after the other and the newest first, all files of a log; each line is in exactly one of them.

    That holds however often the log is archived meanwhile. What is logged later may be in it or not.

    Args:
        log: The log that Envoy writes.
        since: Archives that were closed before are passed over, unopened.

    Raises:
        FileNotFoundError: there is no log, and was none.
    """
    with ExitStack() as stack:
        newest, closed = _at_one_moment(log, stack)
        if not newest and not closed:
            raise FileNotFoundError(log)
        yield from newest
        for archive in reversed(closed):
            if since is not None and archive.closed < since:
                return
            if (stream := _open(archive)) is not None:
                with stream:
                    yield stream


def lines(log: Path, since: datetime | None = None) -> Iterator[str]:
    """Return the lines of a log and its archives, each once, file by file from the newest.

    Raises:
        FileNotFoundError: there is no log, and was none.
        LogDamagedError: an archive is not as it was written.
    """
    for stream in streams(log, since):
        try:
            for line in stream:
                yield line.decode(errors="replace")
        except DAMAGED as error:
            raise LogDamagedError(f"{stream.name}: {error}") from error


def _at_one_moment(log: Path, stack: ExitStack) -> tuple[list[Stream], list[Archive]]:
    """Open what is not archived yet and list what is, at a moment when nothing moved from the one to the other."""
    while True:
        with ExitStack() as held:
            current = [_opened(path, held) for path in (log, closing(log))]
            found = archives(log)
            if all(map(_is_still, (log, closing(log)), current)):
                stack.push(held.pop_all())
                return [stream for stream in current if stream is not None], found


def _opened(path: Path, held: ExitStack) -> Stream | None:
    try:
        return held.enter_context(path.open("rb"))
    except FileNotFoundError:
        return None


def _is_still(path: Path, stream: Stream | None) -> bool:
    try:
        now = path.stat()
    except FileNotFoundError:
        return stream is None
    return stream is not None and os.path.samestat(now, os.fstat(stream.fileno()))


def _open(archive: Archive) -> Stream | None:
    """Open an archive as it now is; None when its time was over meanwhile."""
    # In the order in which one becomes the other: what is no longer plain is compressed.
    with suppress(FileNotFoundError):
        return archive.plain.open("rb")
    with suppress(FileNotFoundError):
        return gzip.GzipFile(archive.packed, "rb")
    return None
