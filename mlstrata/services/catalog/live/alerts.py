"""The alerts of an environment, from the log in which the exporter writes what Alertmanager tells it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

LOG = "logs/alerts.jsonl"
SEARCHED = 2 * 1024 * 1024
"""Bytes of the log that are read, its newest: some 2,000 notifications."""

_Mark = tuple[int, int, int] | None
"""Inode, size and time of a file, which differ once it was written to; None: there is none."""


@dataclass(frozen=True)
class Alert:
    """The newest that was told of one alert.

    Attributes:
        key: Alertmanager's fingerprint of its labels.
        name: Its rule.
        system: The system it is about; empty: of none.
        service: The service it is about; empty: of none.
        severity: How bad.
        summary: What it says.
        firing: Whether it goes on.
        since: When it began, in seconds since 1970.
        told: When the exporter was told last, in seconds since 1970.
    """

    key: str
    name: str
    system: str
    service: str
    severity: str
    summary: str
    firing: bool
    since: float
    told: float


class Alerts:
    """Reads the alerts of an environment, again whenever their log changed. Safe for several threads."""

    def __init__(self, home: Path) -> None:
        self._log, self._before = home / LOG, home / f"{LOG}.1"
        self._lock = threading.Lock()
        self._known: tuple[tuple[_Mark, _Mark], tuple[Alert, ...]] | None = None

    def read(self) -> tuple[Alert, ...]:
        """Return the alerts of the newest part of the log, each once: those that fire first, then the newest first.

        Raises:
            OSError: There is a log and it cannot be read.
        """
        with self._lock:
            # Taken before the files are read: what is written meanwhile makes the next who asks read again.
            now = (_mark(self._log), _mark(self._before))
            if self._known is None or self._known[0] != now:
                self._known = (now, self._parsed())
            return self._known[1]

    def _parsed(self) -> tuple[Alert, ...]:
        # The live file first: if it is put aside meanwhile, it is read twice, and not left out.
        size, newest = _tail(self._log, SEARCHED)
        older = _tail(self._before, SEARCHED - size)[1] if size < SEARCHED else []
        found = {alert.key: alert for line in (*older, *newest) if (alert := _read(line))}
        return tuple(sorted(found.values(), key=lambda one: (one.firing, one.told), reverse=True))


def problems_of(alerts: Iterable[Alert]) -> dict[str, str]:
    """Return service to what the alert says that fires about it."""
    return {one.service: one.summary for one in alerts if one.firing and one.service}


def _mark(path: Path) -> _Mark:
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns


def _tail(path: Path, most: int) -> tuple[int, list[bytes]]:
    """Return the size of a log, and the lines in so many of its newest bytes."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - most))
            lines = stream.read(most).split(b"\n")
    except FileNotFoundError:
        return 0, []
    # The first of a tail is what is left of a line.
    return size, lines if size <= most else lines[1:]


def _read(line: bytes) -> Alert | None:
    try:
        entry = json.loads(line)
        labels, notes = _texts(entry["labels"]), _texts(entry.get("annotations", {}))
        key = str(entry.get("fingerprint") or json.dumps(labels, sort_keys=True))
        return Alert(
            key=key,
            name=labels.get("alertname", "alert"),
            system=labels.get("system", ""),
            service=labels.get("service", ""),
            severity=labels.get("severity", ""),
            summary=notes.get("summary") or notes.get("description") or labels.get("alertname", ""),
            firing=entry.get("status") == "firing",
            since=_moment(entry.get("startsAt")),
            told=_moment(entry.get("received")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None  # cut short by the end of the tail or by a full disk: the others are shown


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in values.items()}


def _moment(text: object) -> float:
    return datetime.fromisoformat(str(text)).timestamp()
