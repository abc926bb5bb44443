"""What measured figures show, and what they do not: a verdict and a sentence for each, by its interval.

A figure holds a limit where its whole interval does; where the interval reaches over it, nothing is shown yet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mlstrata.evidence import measured
from mlstrata.evidence.blocks import plain
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.language import number, say, span
from mlstrata.evidence.measured import GroupRate, Measure

FEWEST = 30
"""Rows of a group from which on its rate is compared; an interval over fewer says next to nothing."""


class Says(StrEnum):
    """Axis: what an interval says of a limit, or of two groups."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_SHOWN = "not shown"
    DIFFERS = "differs"
    NO_DIFFERENCE = "no difference shown"
    TOO_FEW = "too few rows"
    NO_BETTER = "no better than a constant"
    UNJUDGED = "not judged"


@dataclass(frozen=True)
class Verdict:
    """One verdict.

    Attributes:
        of: What it is on.
        verdict: What it is.
        sentence: Why, in a sentence.
        size: How far off, from 0 to 1, to find the worst by.
    """

    of: str
    verdict: Says
    sentence: str
    size: float = 0.0

    @property
    def bad(self) -> bool:
        """Return whether a reader must know of it."""
        return self.verdict not in {Says.HOLDS, Says.NO_DIFFERENCE}


def of_metrics(evidence: Evidence) -> tuple[Verdict, ...]:
    """Return a verdict on each metric with an interval: its declared limit, else what a constant answer reaches."""
    limits = dict(_limits(evidence))
    found = measured.measures(evidence.version) if evidence.version else ()
    return tuple(verdict for one in found for verdict in _of_metric(one, limits.get(one.name)))


def _of_metric(one: Measure, limit: tuple[str, float] | None) -> Iterator[Verdict]:
    if limit is not None:
        yield _against(one.name, one, *limit)
    if (
        one.baseline is not None
        and one.low is not None
        and one.high is not None
        and one.low <= one.baseline <= one.high
    ):
        sentence = say(
            "{baseline}, which the same answer for everyone reaches, is within the interval of {name} ({interval})",
            baseline=number(one.baseline, ".4g"),
            name=one.name,
            interval=span(one.low, one.high, ".4g"),
        )
        yield Verdict(one.name, Says.NO_BETTER, sentence)


def of_gaps(evidence: Evidence) -> tuple[Verdict, ...]:
    """Return a verdict on the largest difference by each protected attribute, against its declared limit."""
    limit = evidence.get("monitor.fairness.at_most")
    declared = isinstance(limit, int | float) and not isinstance(limit, bool)
    return tuple(
        _against(one.name, one, "at_most", float(limit))
        if declared
        else Verdict(one.name, Says.UNJUDGED, say("no limit is declared (`monitor.fairness.at_most`)"), 0.5)
        for one in (measured.gaps(evidence.version) if evidence.version else ())
    )


def of_groups(evidence: Evidence) -> tuple[Verdict, ...]:
    """Return a verdict on each rate of each group, against the group of that attribute with the most rows."""
    rates: dict[tuple[str, str], list[GroupRate]] = {}
    for one in measured.by_group(evidence.version) if evidence.version else ():
        # A class's rates are compared with those of that class.
        _, _, of_class = one.group.partition(", class ")
        rates.setdefault(
            (
                one.attribute,
                f"{one.rate}, class {of_class}" if of_class else one.rate,
            ),
            [],
        ).append(one)
    found = []
    rows: dict[tuple[str, str], int] = {}
    for one in (one for groups in rates.values() for one in groups):
        rows[one.attribute, one.group] = max(one.rows, rows.get((one.attribute, one.group), 0))
    for (attribute, rate), groups in rates.items():
        largest = max(groups, key=lambda one: rows[one.attribute, one.group])
        name = say(measured.RATES[groups[0].rate]) + rate.removeprefix(groups[0].rate)
        found += [_between(attribute, name, one, largest) for one in groups if one is not largest]
    if evidence.version:
        for off in measured.errors_by_group(evidence.version):
            sentence = say(
                "{rows} rows are on average off by {values}; no interval was recorded",
                rows=off.rows,
                values=number(off.values[-1], ".4g"),
            )
            found.append(
                Verdict(
                    say("{attribute} {group}: errors", attribute=off.attribute, group=off.group),
                    Says.UNJUDGED,
                    sentence,
                )
            )
    return tuple(found)


def _between(attribute: str, name: str, one: GroupRate, largest: GroupRate) -> Verdict:
    of = f"{attribute} {one.group}: {name}"
    if min(one.rows, largest.rows) < FEWEST:
        return Verdict(
            of,
            Says.TOO_FEW,
            say("{rows} rows, and {fewest} are needed to compare", rows=min(one.rows, largest.rows), fewest=FEWEST),
        )
    low, high = difference(one, largest)
    apart = say(
        "{value} against {largest} of {attribute} {group}: {points}",
        value=number(one.value, ".1%"),
        largest=number(largest.value, ".1%"),
        attribute=attribute,
        group=largest.group,
        points=_points(low, high),
    )
    if low <= 0 <= high:
        return Verdict(of, Says.NO_DIFFERENCE, say("{apart}, which may be none", apart=apart))
    return Verdict(of, Says.DIFFERS, apart, abs(one.value - largest.value))


def difference(one: GroupRate, other: GroupRate) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two rates, by their Wilson intervals (Newcombe 1998, method 10)."""
    apart = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return apart - below, apart + above


def _points(low: float, high: float) -> str:
    return say("{low} to {high} points apart", low=number(low * 100, "+.1f"), high=number(high * 100, "+.1f"))


def _against(of: str, one: Measure, bound: str, limit: float) -> Verdict:
    limit_said = f"{say(bound.replace('_', ' '))} {plain(limit)}"
    if one.low is None or one.high is None:
        return Verdict(
            of,
            Says.UNJUDGED,
            say("{value} has no interval to hold against {limit}", value=number(one.value, ".4g"), limit=limit_said),
            0.5,
        )
    declared = say(
        "the interval is {interval}, and {limit} is declared",
        interval=span(one.low, one.high, ".4g"),
        limit=limit_said,
    )
    held = one.low >= limit if bound == "at_least" else one.high <= limit
    missed = one.high < limit if bound == "at_least" else one.low > limit
    verdict = Says.HOLDS if held else Says.BROKEN if missed else Says.NOT_SHOWN
    beyond = limit - one.low if bound == "at_least" else one.high - limit
    return Verdict(
        of,
        verdict,
        say("measured {value}; {declared}", value=number(one.value, ".4g"), declared=declared),
        min(1.0, max(0.0, beyond)),
    )


def _limits(evidence: Evidence) -> Iterator[tuple[str, tuple[str, float]]]:
    kpis = evidence.get("kpis")
    for kpi in kpis if isinstance(kpis, list | tuple) else ():
        for bound in ("at_least", "at_most") if isinstance(kpi, Mapping) else ():
            if isinstance(kpi.get(bound), int | float):
                yield str(kpi.get("metric")), (bound, float(kpi[bound]))
