"""Plots of what was measured: metrics with their intervals, and the gaps between groups with the declared limit."""

from __future__ import annotations

from collections.abc import Iterator

from policies.evidence.blocks import Bar, Figure, plain
from policies.evidence.facts import Evidence

GAP = "parity_gap_"
_BOUNDS = ("_low", "_high")


def figures(evidence: Evidence) -> Iterator[Figure]:
    """Yield the plots that the measured metrics allow; only figures between 0 and 1 are comparable in one."""
    measured = evidence.version.metrics if evidence.version else {}
    names = [name for name in sorted(measured) if not name.endswith(_BOUNDS) and 0 <= measured[name] <= 1]
    limit = evidence.get("monitor.fairness.at_most")
    bound = float(limit) if isinstance(limit, int | float) else None
    metrics = tuple(_bar(evidence, name) for name in names if not name.startswith(GAP))
    gaps = tuple(_bar(evidence, name, bound) for name in names if name.startswith(GAP))
    if metrics:
        yield Figure("metrics", "Metrics; a black line is the interval", metrics)
    if gaps:
        yield Figure("fairness", "Gap between groups by attribute; red is the declared limit", gaps)


def _bar(evidence: Evidence, name: str, limit: float | None = None) -> Bar:
    measured = evidence.version.metrics if evidence.version else {}
    low, high = (measured.get(f"{name}{end}") for end in _BOUNDS)
    interval = (low, high) if low is not None and high is not None else None
    return Bar(plain(name.removeprefix(GAP)), measured[name], interval, limit)
