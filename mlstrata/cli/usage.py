"""`mlstrata usage`: requests, errors and latency by system, consumer and version."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlstrata.cli.console import say, say_json
from mlstrata.cli.periods import period
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.usage import usage as count

if TYPE_CHECKING:
    from mlstrata.operations.usage import Usage

_HEADS = ("system", "consumer", "api", "version", "requests", "refused", "errors", "p50", "p99")


def usage(name: str, *, since: str, as_json: bool) -> None:
    """Show what the gateway's access log and its archives hold.

    Raises:
        UsageError: the period is none, or the gateway has no log yet.
        Failed: an archive is damaged.
    """
    begin = datetime.now(UTC) - period(since) if since else None
    found = count(Deployment.open(name), begin)
    if as_json:
        say_json({"environment": name, "since": begin.isoformat() if begin else None, "usage": [*map(asdict, found)]})
        return
    rows = [_HEADS, *(_row(one) for one in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADS))]
    for row in rows:
        say(" " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if not found:
        say(" no requests" + (f" in the last {since}" if since else " yet"))


def _row(one: Usage) -> tuple[str, ...]:
    counts = (str(one.requests), str(one.refused), str(one.errors))
    times = ("-" if value is None else f"{value:g} ms" for value in (one.p50_ms, one.p99_ms))
    return (one.system, one.consumer, one.api, one.version, *counts, *times)
