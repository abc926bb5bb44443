"""The alerts of an environment, from the log in which the exporter writes what Alertmanager tells it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

LOG = "logs/alerts.jsonl"
SEARCHED = 2 * 1024 * 1024
"""Bytes of the log that are read, its newest: some 2,000 notifications."""


@dataclass(frozen=True)
class Alert:
    """The newest that was told of one alert.

    Attributes:
        key: Alertmanager's fingerprint of its labels.
        name: Its rule.
        system: The system it is about; empty: of none.
        service: The service it is about; empty: of none.
        severity: How bad.
        cause: What a monitor found, in `retrain.Cause`'s words; empty: no monitor raised it.
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
    cause: str
    summary: str
    firing: bool
    since: float
    told: float


def read_alerts(home: Path) -> tuple[Alert, ...]:
    """Return the alerts of the newest part of the log, each once: those that fire first, then by time, newest first.

    Raises:
        OSError: There is a log and it cannot be read.
    """
    found: dict[str, Alert] = {}
    for path in (home / f"{LOG}.1", home / LOG):
        for line in _tail(path):
            if alert := _read(line):
                found[alert.key] = alert
    return tuple(sorted(found.values(), key=lambda one: (one.firing, one.told), reverse=True))


def problems_of(alerts: Iterable[Alert]) -> dict[str, str]:
    """Return service to what the alert says that fires about it."""
    return {one.service: one.summary for one in alerts if one.firing and one.service}


def _tail(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - SEARCHED))
            lines = stream.read(SEARCHED).split(b"\n")
    except FileNotFoundError:
        return
    # The first of a tail is what is left of a line.
    yield from lines if size <= SEARCHED else lines[1:]


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
            cause=labels.get("cause", ""),
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
