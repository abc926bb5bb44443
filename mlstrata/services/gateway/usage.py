"""Who used what, and how it went: the gateway's access log, counted by system, consumer and version."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

NOBODY = "-"
"""Stands for what a request never had: a consumer without a good token, a version when none answered."""
_REFUSED, _FAILED = 400, 500
_GRPC_UNAVAILABLE = 14
_LONGEST_MS = 1e9
"""Milliseconds up to which a duration is one: eleven days."""


@dataclass(frozen=True)
class Usage:
    """The requests of one consumer to one version of one system.

    Attributes:
        system: The system.
        consumer: The consumer, NOBODY where no good token was shown.
        api: The version of the interface.
        version: The version of the model, NOBODY where none answered.
        requests: How many there were.
        refused: How many of them were answered with a status of 400 to 499: by the caller's own doing.
        errors: How many with 500 or more, or were cut off.
        p50_ms: Half of those that a model answered took no longer, in milliseconds; None when none did.
        p99_ms: 99 of 100 of them took no longer.
    """

    system: str
    consumer: str
    api: str
    version: str
    requests: int
    refused: int
    errors: int
    p50_ms: float | None
    p99_ms: float | None


@dataclass
class _Count:
    requests: int = 0
    refused: int = 0
    errors: int = 0
    # By time, not one by one: months of requests take but few different milliseconds.
    answered_ms: Counter[float] = field(default_factory=Counter)


def read_usage(lines: Iterable[str], since: datetime | None = None) -> list[Usage]:
    """Count the lines of an access log, those `since` then; a line that is cut off, as by a full disk, is left out.

    Requests to no system, such as health checks, do not count.
    """
    counts: dict[tuple[str, str, str, str], _Count] = defaultdict(_Count)
    for entry in _entries(lines, since):
        key = tuple(str(entry.get(name) or NOBODY) for name in ("system", "consumer", "api", "version"))
        _add(counts[key[0], key[1], key[2], key[3]], entry)
    return [
        Usage(
            *key,
            count.requests,
            count.refused,
            count.errors,
            percentile(count.answered_ms, 50),
            percentile(count.answered_ms, 99),
        )
        for key, count in sorted(counts.items())
    ]


def count_since(lines: Iterable[str], system: str, since: Sequence[datetime]) -> dict[str, list[int]]:
    """Count, by consumer, the requests to a system since each of several moments."""
    counts: dict[str, list[int]] = {}
    for entry in _entries(lines, min(since)):
        if entry["system"] == system:
            when = datetime.fromisoformat(entry["time"])
            counted = counts.setdefault(str(entry.get("consumer") or NOBODY), [0] * len(since))
            for at, moment in enumerate(since):
                counted[at] += when >= moment
    return counts


def percentile(counted: Counter[float], share: float) -> float | None:
    """Return the smallest counted value that `share` percent do not exceed (nearest rank); None of none."""
    wanted, seen = max(1, math.ceil(counted.total() * share / 100)), 0
    for value in sorted(counted):
        seen += counted[value]
        if seen >= wanted:
            return value
    return None


def _entries(lines: Iterable[str], since: datetime | None) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        try:
            entry = json.loads(line)
            # A time that names no zone cannot be compared with one that does.
            counts = bool(entry.get("system")) and (since is None or datetime.fromisoformat(entry["time"]) >= since)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        if counts:
            yield entry


def _status(entry: Mapping[str, Any]) -> int:
    """Return the status; no model answers gRPC, so whoever got such an answer was refused, with status 200 over it."""
    if isinstance(grpc := entry.get("grpc_status"), int):
        return _FAILED if grpc == _GRPC_UNAVAILABLE else _REFUSED
    return status if isinstance(status := entry.get("status"), int) else 0


def _add(count: _Count, entry: Mapping[str, Any]) -> None:
    status = _status(entry)
    count.requests += 1
    if _REFUSED <= status < _FAILED:
        count.refused += 1
    elif not 0 < status < _FAILED:
        # No status at all: the caller or the process hung up.
        count.errors += 1
    elif isinstance(took := entry.get("duration_ms"), int | float) and 0 <= took <= _LONGEST_MS:
        count.answered_ms[float(took)] += 1
