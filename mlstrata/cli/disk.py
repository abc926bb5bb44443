"""`mlstrata usage --disk`: what takes how much, by kind and system, and what of it may go when."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlstrata.cli.console import say, say_json
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.disk import disk as measure

if TYPE_CHECKING:
    from mlstrata.operations.disk import Taken

_HEADS = ("kind", "system", "size", "may go now", "next goes", "kept by")
_STEP = 1024


def disk(name: str, *, as_json: bool) -> None:
    """Show it, the largest first.

    Raises:
        UsageError: the environment is not on this machine, or has no home yet.
    """
    found = measure(Deployment.open(name))
    if as_json:
        say_json({"environment": name, "bytes": sum(one.size for one in found), "disk": [*map(_document, found)]})
        return
    rows = [_HEADS, *(_row(one) for one in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADS))]
    for row in rows:
        say(" " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    may_go = sum(one.may_go for one in found)
    said = f"; {size_of(may_go)} may go, which the service resources removes within the hour" if may_go else ""
    say(f" {size_of(sum(one.size for one in found))} in all{said}")


def size_of(count: int) -> str:
    """Say bytes as people do: `512 B`, `1.5 MiB`."""
    size, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= _STEP and len(units) > 1:
        size, units = size / _STEP, units[1:]
    return f"{size:.0f} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def _document(one: Taken) -> dict[str, object]:
    return {**asdict(one), "next": _day(one.next, whole=True)}


def _row(one: Taken) -> tuple[str, ...]:
    may_go, coming = size_of(one.may_go) if one.may_go else "-", _day(one.next) or "-"
    return (one.kind, one.system or "-", size_of(one.size), may_go, coming, "; ".join(one.why[:2]))


def _day(when: float | None, *, whole: bool = False) -> str | None:
    if when is None:
        return None
    day = datetime.fromtimestamp(when, UTC)
    return day.isoformat() if whole else f"{day:%Y-%m-%d}"
