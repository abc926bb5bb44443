"""Archives the gateway's access log: nothing of it is lost or there twice, whatever ends when.

Each step does one thing that either happened or did not, and the next round goes on from what it finds:
rename the log, have Envoy open a new one, wait until it let go of the old one, name that by the time, compress it.
What is older than the environment keeps logs is removed, by its time and never by how many there are.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from pathlib import Path

from mlstrata import files, waiting
from mlstrata.services.gateway.logfiles import Archive, archives, closing
from mlstrata.services.gateway.names import ARCHIVED, REOPEN_PATH
from mlstrata.services.rounds import Rounds

LIMIT_BYTES = 64 * 1024 * 1024
"""Size from which on the log is archived: about 200,000 requests."""
ROUND_SECONDS = 10.0
_PROC = Path("/proc")
_POLL_SECONDS = 0.05
_LONGEST_LINE = 65_536


class NotReopenedError(Exception):
    """Envoy could not be told to open its log anew."""


def reopen(admin_port: int) -> None:
    """Have the Envoy at a loopback admin port open its logs anew.

    Raises:
        NotReopenedError: it does not answer, or refuses.
    """
    connection = http.client.HTTPConnection("127.0.0.1", admin_port, timeout=30)
    try:
        connection.request("POST", REOPEN_PATH)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise NotReopenedError(f"the gateway at 127.0.0.1:{admin_port} does not answer: {error}") from error
    finally:
        connection.close()
    if status != HTTPStatus.OK:
        raise NotReopenedError(f"the gateway at 127.0.0.1:{admin_port} answered {REOPEN_PATH} with {status}")


def is_written(file: Path) -> bool | None:
    """Say whether a process has a file open to write to it; None where the system does not tell."""
    if not (_PROC / "self/fd").is_dir():
        return None
    wanted = file.stat()
    for process in _PROC.iterdir():
        # Processes end while they are looked at, and other people's are none of ours.
        with suppress(OSError):
            if process.name.isdigit() and any(_writes(one, wanted) for one in (process / "fd").iterdir()):
                return True
    return False


def _writes(descriptor: Path, wanted: os.stat_result) -> bool:
    try:
        # The link's own permissions say how the file was opened (proc(5)).
        return bool(descriptor.lstat().st_mode & 0o200) and os.path.samestat(descriptor.stat(), wanted)
    except OSError:
        return False


@dataclass(frozen=True)
class Archiver:
    """Archives one log.

    Attributes:
        log: The log that Envoy writes.
        keep: How long an archive stays after it was closed.
        reopen: Has Envoy open the log anew, or raises NotReopenedError.
        limit: Bytes from which on it is archived; a smaller one is at the end of its day, UTC.
        patience: Seconds a round waits for Envoy to let go; what takes longer is for the next round.
        quiet: Seconds without a write after which a log that nobody holds is taken as closed.
        now: The time, UTC.
        written: Whether somebody may still write to a file.
    """

    log: Path
    keep: timedelta
    reopen: Callable[[], None]
    limit: int = LIMIT_BYTES
    patience: float = 3.0
    quiet: float = 2.0
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    written: Callable[[Path], bool | None] = is_written

    def round(self) -> None:
        """Do what is to be done now; rounds of several processes come one after the other.

        Raises:
            NotReopenedError: Envoy could not be told; it goes on writing to the old file, and the next round goes on.
            OSError: such as of a full disk; what could not be compressed stays as it is.
        """
        with files.locked(self.log.parent):
            # A gateway that does not answer, or an archive that cannot be touched, keeps no other from its turn.
            failed: list[Exception] = []
            for begin in (self._remove, lambda: [self._turn], self._pack):
                for step in begin():
                    try:
                        step()
                    except (OSError, NotReopenedError) as error:
                        failed.append(error)
            if failed:
                raise failed[0]

    def _pack(self) -> list[Callable[[], None]]:
        return [partial(_pack, archive) for archive in archives(self.log)]

    def _turn(self) -> None:
        old = closing(self.log)
        if not old.exists():
            if not self._is_due():
                return
            self.log.rename(old)
        # There before Envoy opens it: on a disk too full for that, Envoy is not told and goes on with the old one.
        self.log.touch(mode=0o600)
        if self.written(old) is not False:
            self.reopen()
        if self._is_let_go(old):
            old.rename(self._closed_now(old).plain)
            files.sync_folder(self.log.parent)

    def _is_due(self) -> bool:
        try:
            about = self.log.stat()
        except FileNotFoundError:
            return False
        if about.st_size >= self.limit:
            return True
        return about.st_size > 0 and self._begun(about).date() < self.now().date()

    def _begun(self, about: os.stat_result) -> datetime:
        """Return when the log began: with its first request, or the end of the last archive."""
        try:
            with self.log.open("rb") as stream:
                begun = datetime.fromisoformat(json.loads(stream.readline(_LONGEST_LINE))["time"]).astimezone(UTC)
        except (ValueError, TypeError, KeyError):  # cut off, as by a full disk
            begun = datetime.fromtimestamp(about.st_mtime, UTC)
        # A request may begin on one day and be logged on the next, in the next day's log.
        return max([begun, *(archive.closed for archive in archives(self.log)[-1:])])

    def _is_let_go(self, old: Path) -> bool:
        def is_let_go() -> bool:
            written = self.written(old)
            # Where nobody can be seen to hold a file, only that nothing was added to it for long says so.
            quiet = self.quiet if written is False else 60.0
            return not written and time.time() - old.stat().st_mtime >= quiet

        return waiting.until(is_let_go, self.patience, _POLL_SECONDS)

    def _closed_now(self, old: Path) -> Archive:
        closed = max(self.now(), datetime.fromtimestamp(old.stat().st_mtime, UTC))
        taken = set(archives(self.log))
        while (archive := Archive.of(self.log, closed)) in taken:
            closed += timedelta(microseconds=1)
        return archive

    def _remove(self) -> list[Callable[[], None]]:
        return [
            partial(path.unlink, missing_ok=True)
            for archive in archives(self.log)
            if archive.closed + self.keep < self.now()
            for path in (archive.plain, archive.packed, archive.unfinished)
        ]


def _pack(archive: Archive) -> None:
    """Compress an archive; the plain file goes only when the compressed one is there for good."""
    if not archive.plain.exists():
        return
    if not archive.packed.exists():
        part = archive.unfinished
        try:
            with archive.plain.open("rb") as plain, part.open("wb") as raw:
                part.chmod(0o600)
                # Without name and time: the same lines give the same bytes.
                with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                    shutil.copyfileobj(plain, packed, 1 << 20)
                if plain.tell() != archive.plain.stat().st_size:
                    return  # written to after all
                raw.flush()
                os.fsync(raw.fileno())
            part.rename(archive.packed)
        finally:
            part.unlink(missing_ok=True)
        files.sync_folder(archive.plain.parent)
    archive.plain.unlink(missing_ok=True)


class Archiving(Rounds):
    """Archives from now on."""

    def __init__(self, archiver: Archiver) -> None:
        self._archiver = archiver
        super().__init__("access-log", ARCHIVED, every=ROUND_SECONDS)

    def round(self) -> str:
        """Archive what is to be archived; return what went wrong."""
        try:
            self._archiver.round()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round must come
            return f"{self._archiver.log} is not archived yet: {type(error).__name__}: {error}"
        return ""
