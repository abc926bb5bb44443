"""How the pages write moments, sizes and addresses."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from mlstrata.services.catalog.model import Node, NodeKind

_LINKS = {
    NodeKind.SOURCE: "datasets",
    NodeKind.RUN: "runs",
    NodeKind.VERSION: "models",
    NodeKind.RELEASE: "models",
    NodeKind.SYSTEM: "systems",
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_MEBIBYTE = 2**20


def link(node: Node) -> str:
    """Return the address of a node's page: its own, or its part of the lineage."""
    if room := _LINKS.get(node.kind):
        return f"/{room}/{quote(node.id.partition(':')[2])}"
    return f"/lineage/{quote(node.id)}"


def moment(seconds: float | None) -> str:
    """Return a moment as people read it, from seconds since 1970."""
    return "not recorded" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def span(seconds: float) -> str:
    """Return a length of time in its largest unit, rounded down: `40 s`, `3 min`, `5 h`, `12 d`."""
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def ago(seconds: float) -> str:
    """Return how long it is since a moment, from seconds since 1970."""
    return f"{span(time.time() - seconds)} ago"


def megabytes(size: int) -> str:
    """Return bytes in MiB."""
    return f"{size / _MEBIBYTE:.0f} MiB"


def figure(value: float | None) -> str:
    """Return a figure to three digits that count."""
    return "none" if value is None else f"{value:.3g}"


def plain(value: object) -> str:
    """Return a value of a record as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "link": link,
    "moment": moment,
    "span": span,
    "ago": ago,
    "megabytes": megabytes,
    "figure": figure,
    "plain": plain,
    "quote": quote,
}
