"""Whether all that was answered is recorded: the gateway's log says which requests were, whoever served them.

What is missing is a number that stays at 0. Each line is looked at once; what is not in the store yet, as a spill is on
its way, is asked for again until it is there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Generator, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from mlstrata.closed import Closed
from mlstrata.files import damaged, write_private
from mlstrata.services.gateway.logfiles import DAMAGED, Stream, closing, streams

PATIENCE_SECONDS = 30.0
"""What is answered for so long and not recorded is missing; a spill is sent every second or so."""
FORGET_SECONDS = 86_400.0
"""After a day, what is missing is counted no longer: it was told, and an alert about it would hide the next."""
_MOST = 100_000
"""Requests that are asked for again; the oldest beyond are not, so that no outage takes the memory."""
_MARGIN_SECONDS = 600.0
"""So long after a file was closed, whatever is in it was read."""
_LONGEST_LINE = 65_536


class Answered(Closed):
    """An answer that is not in the store yet."""

    system: str = Field(description="The system.")
    at: float = Field(description="When it was asked, in seconds since 1970.")


class Progress(Closed):
    """How far the log was read."""

    begun: float = Field(description="What was asked before this moment does not count, in seconds since 1970.")
    looked: float = Field(description="When it was last read.")
    read: dict[str, int] = Field(default={}, description="By the first line of a file, the bytes that were read of it.")
    waiting: dict[str, Answered] = Field(default={}, description="By its id, what is not in the store yet.")

    @classmethod
    def load(cls, path: Path, now: float) -> Progress:
        """Read what `save` wrote; where there is none, begin now.

        Raises:
            ValueError: the file is damaged.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return cls(begun=now, looked=now)
        except ValidationError as error:
            raise ValueError(damaged(path, "recorder", error)) from None

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        write_private(path, self.model_dump_json() + "\n")


class Completeness:
    """Follows the gateway's log. Not for several threads at once."""

    def __init__(
        self,
        log: Path,
        state: Path,
        systems: Collection[str],
        missing: Callable[[Collection[str]], set[str]],
        now: float,
    ) -> None:
        """Go on where the state says; where there is none, count what is asked from now on.

        Args:
            log: The log that Envoy writes.
            state: File that says how far it was read.
            systems: Those that are recorded.
            missing: Returns those of some requests that are not in the store.
            now: Seconds since 1970.

        Raises:
            ValueError: the state is damaged.
        """
        self._log, self._state, self._systems, self._missing = log, state, frozenset(systems), missing
        self._saved = self._progress = Progress.load(state, now)
        self._whole: dict[str, str] = {}
        """By the name of an archive that was read to its end, its first line, empty where it is damaged."""

    def look(self, now: float) -> dict[str, int]:
        """Read what was logged since the last look; return by system how many answers are missing.

        Raises:
            OSError: the log cannot be read, or how far it was cannot be written.
        """
        read: dict[str, int] = {}
        whole: dict[str, str] = {}
        waiting = {**self._progress.waiting, **dict(self._new(read, whole))}
        absent = self._missing(list(waiting))
        left = sorted(
            ((request, one) for request, one in waiting.items() if request in absent),
            key=lambda pair: pair[1].at,
        )
        left = [(request, one) for request, one in left if one.at > now - FORGET_SECONDS][-_MOST:]
        self._progress = self._progress.model_copy(update={"looked": now, "read": read, "waiting": dict(left)})
        self._whole = whole
        # When it was looked says only which archives may hold more, and those are in `read`.
        if (self._progress.read, self._progress.waiting) != (self._saved.read, self._saved.waiting):
            self._progress.save(self._state)
            self._saved = self._progress
        counted = dict.fromkeys(sorted(self._systems), 0)
        for _, one in left:
            counted[one.system] = counted.get(one.system, 0) + (one.at < now - PATIENCE_SECONDS)
        return counted

    def _new(self, read: dict[str, int], whole: dict[str, str]) -> Iterator[tuple[str, Answered]]:
        """Yield the answers that were logged since the last look, and note in both how far all files are read."""
        since = datetime.fromtimestamp(max(self._progress.looked - _MARGIN_SECONDS, 0.0), UTC)
        try:
            for stream in streams(self._log, since):
                archive = self._archive(stream)
                first = self._whole.get(archive)
                if first is None:
                    try:
                        first = yield from self._lines(stream, read)
                    except DAMAGED:
                        # It is not as it was written: what of it was read, was read while it was plain.
                        first = ""
                elif first:
                    read[first] = self._progress.read[first]
                if archive and first is not None:
                    whole[archive] = first
        except FileNotFoundError:
            # Nothing was asked yet.
            return

    def _archive(self, stream: Stream) -> str:
        """Return the name of the archive that a stream reads, compressed or not; empty where it is still written."""
        name = Path(os.fspath(stream.name)).name.removesuffix(".gz")
        return "" if name in (self._log.name, closing(self._log).name) else name

    def _lines(self, stream: Stream, read: dict[str, int]) -> Generator[tuple[str, Answered], None, str | None]:
        """Yield the answers in what was added to a file; its first line says which it is, whatever it is called now.

        Returns:
            That line; None: it has none yet.
        """
        first = stream.readline(_LONGEST_LINE)
        if not first.endswith(b"\n"):
            return None
        name = first.decode(errors="replace").strip()
        done = self._progress.read.get(name, 0)
        stream.seek(done)
        for line in stream:
            # The last may be half written.
            if not line.endswith(b"\n"):
                break
            done += len(line)
            if (found := self._answered(line)) is not None:
                yield found
        read[name] = done
        return name

    def _answered(self, line: bytes) -> tuple[str, Answered] | None:
        """Return a request that a model answered; None: it is none, or is of a system that is not recorded."""
        try:
            entry: dict[str, Any] = json.loads(line)
            at = datetime.fromisoformat(entry["time"]).timestamp()
            system, request = entry["system"], entry["request_id"]
        except (ValueError, TypeError, KeyError):
            return None
        # What calls itself gRPC is told a refusal with status 200; without a version no model answered.
        answered = entry.get("status") == HTTPStatus.OK and entry.get("method") == "POST" and entry.get("version")
        if not answered or entry.get("grpc_status") is not None or not isinstance(request, str):
            return None
        if system not in self._systems or at < self._progress.begun:
            return None
        return request, Answered(system=system, at=at)
