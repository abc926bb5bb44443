"""The newest decisions about systems, from the audit log; it is followed as it grows, not read again."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlstrata.audit.log import parse, split

LOG = "data/audit/audit.jsonl"
KEPT = 20
"""Decisions of each system that are kept at hand and shown, the newest."""


@dataclass(frozen=True)
class Decided:
    """One decision.

    Attributes:
        at: When, in seconds since 1970.
        who: Who decided.
        action: What, in the audit log's word.
        system: The system it is about.
        before: The version that answered before; empty: none did.
        after: The version it was for.
        reason: Why.
        outcome: done, failed or interrupted.
    """

    at: float
    who: str
    action: str
    system: str
    before: str
    after: str
    reason: str
    outcome: str


class Decisions:
    """Follows the audit log of an environment. Safe for several threads."""

    def __init__(self, home: Path) -> None:
        self._path, self._lock = home / LOG, threading.Lock()
        self._read, self._file = 0, 0
        self._kept: dict[str, deque[Decided]] = {}

    def newest(self, system: str) -> tuple[Decided, ...]:
        """Return the newest decisions about a system, newest first.

        Raises:
            OSError: There is a log and it cannot be read.
        """
        with self._lock:
            self._follow()
            return tuple(reversed(self._kept.get(system, ())))

    def _follow(self) -> None:
        try:
            with self._path.open("rb") as stream:
                about = self._path.stat()
                if about.st_ino != self._file or about.st_size < self._read:
                    # Another file than the one before, such as one put back from a backup.
                    self._read, self._file = 0, about.st_ino
                    self._kept.clear()
                stream.seek(self._read)
                data = stream.read()
        except FileNotFoundError:
            self._read, self._file = 0, 0
            self._kept.clear()
            return
        lines, rest = split(data)
        self._read += len(data) - len(rest)
        for line in lines:
            if decided := _decided(line):
                self._kept.setdefault(decided.system, deque(maxlen=KEPT)).append(decided)


def _decided(line: bytes) -> Decided | None:
    record = parse(line)
    if record is None:
        return None
    entry = record.entry
    try:
        return Decided(
            at=datetime.fromisoformat(str(entry["when"])).timestamp(),
            who=str(entry["who"]),
            action=str(entry["action"]),
            system=str(entry["system"]),
            before=str(entry.get("version_from") or ""),
            after=str(entry["version_to"]),
            reason=str(entry["reason"]),
            outcome=str(entry["outcome"]),
        )
    except (KeyError, ValueError):
        return None
