"""Where the marks of a plot stand: geometry alone, which a template writes as SVG beside a table of the figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

LEFT, RIGHT, WIDTH, ROW, TOP, FOOT = 170, 20, 640, 28, 8, 24
"""Of the labels, the right margin, a plot, a row of it, and above and below the rows; SVG user units (CSS pixels)."""
LETTERS = 22
"""Characters of a label that fit beside a plot; the table has the whole one."""
SPARK_WIDTH, SPARK_HEIGHT, _PAD = 160, 34, 3
_TICKS = 4


@dataclass(frozen=True)
class Mark:
    """One finding in its row.

    Attributes:
        label: What it is of, cut to what fits.
        y: The middle of its row.
        x: Where its value is.
        begin: Where its bar, from 0 to the value, begins.
        end: Where that ends.
        low: Where its interval begins; None: it has none.
        high: Where that ends.
        limit: Where its limit is; None: it has none.
        alert: Whether it alerts.
    """

    label: str
    y: int
    x: float
    begin: float
    end: float
    low: float | None
    high: float | None
    limit: float | None
    alert: bool


@dataclass(frozen=True)
class Plot:
    """Findings below each other on one scale.

    Attributes:
        marks: One a finding.
        ticks: Places of the scale with what they stand for.
        width: In SVG user units.
        height: Likewise.
        floor: Where the scale is.
    """

    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    width: int
    height: int
    floor: int


class Drawn(Protocol):
    """What a plot draws; a `monitor.verdict.Finding` is one."""

    @property
    def of(self) -> str:
        """Return what the figure is of."""

    @property
    def value(self) -> float:
        """Return the figure."""

    @property
    def limit(self) -> float | None:
        """Return what is allowed; None: nothing is declared."""

    @property
    def low(self) -> float | None:
        """Return where its interval begins; None: it has none."""

    @property
    def high(self) -> float | None:
        """Return where that ends."""

    @property
    def alert(self) -> bool:
        """Return whether it alerts."""


@dataclass(frozen=True)
class Bar:
    """A figure without limit or interval."""

    of: str
    value: float
    limit: float | None = None
    low: float | None = None
    high: float | None = None
    alert: bool = False


def plot(findings: Sequence[Drawn], *, from_zero: bool) -> Plot | None:
    """Place findings below each other; None where there is nothing to draw.

    Args:
        findings: What was found, all in one unit.
        from_zero: The scale begins at 0, as bars need; else where the lowest figure is.
    """
    figures = [
        one
        for found in findings
        for one in (found.value, found.limit, found.low, found.high)
        if one is not None and math.isfinite(one)
    ]
    if not figures:
        return None
    low, high = (min(0.0, *figures) if from_zero else min(figures)), max(figures)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    low, high = (low if from_zero and low == 0 else low - room), high + room
    scale = _Scale(low, high)
    marks = tuple(
        Mark(
            label=_cut(one.of),
            y=TOP + number * ROW + ROW // 2,
            x=scale(one.value),
            begin=scale(min(one.value, 0.0)),
            end=scale(max(one.value, 0.0)),
            low=None if one.low is None else scale(one.low),
            high=None if one.high is None else scale(one.high),
            limit=None if one.limit is None else scale(one.limit),
            alert=one.alert,
        )
        for number, one in enumerate(findings)
        if math.isfinite(one.value)
    )
    floor = TOP + len(findings) * ROW
    return Plot(marks, tuple((scale(step), f"{step:.3g}") for step in _steps(low, high)), WIDTH, floor + FOOT, floor)


def _steps(low: float, high: float) -> list[float]:
    """Return round figures from `low` to `high`, some five of them: 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    size = next(size * power for size in (1, 2, 5, 10) if size * power >= rough)
    return [number * size for number in range(math.ceil(low / size), math.floor(high / size) + 1)]


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float

    def __call__(self, value: float) -> float:
        inside = min(max(value, self.low), self.high) if math.isfinite(value) else self.high
        return round(LEFT + (inside - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT), 1)


def _cut(text: str) -> str:
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"


@dataclass(frozen=True)
class Course:
    """A figure over time.

    Attributes:
        path: What SVG draws: a line of its own for each stretch without a gap.
        limit: Where its limit is; None: it has none.
        lowest: The lowest figure.
        highest: The highest.
        last: The newest.
    """

    path: str
    limit: float | None
    lowest: float
    highest: float
    last: float


def course(points: Sequence[tuple[float, float]], limit: float | None) -> Course | None:
    """Place a figure over time; None where there are fewer than two points to join.

    Args:
        points: Times in seconds, rising, each with the figure.
        limit: What is allowed.
    """
    known = [(at, value) for at, value in points if math.isfinite(value)]
    if len(known) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    values = [value for _, value in known]
    low, high = min(0.0, *values), max([*values, *([] if limit is None else [limit])])
    height, first, last = (high - low) or 1.0, known[0][0], known[-1][0]
    usual = sorted(after[0] - before[0] for before, after in pairwise(known))[len(known) // 2 - 1]

    def y(value: float) -> float:
        return round(SPARK_HEIGHT - _PAD - (value - low) / height * (SPARK_HEIGHT - 2 * _PAD), 1)

    steps, before = [], None
    for at, value in known:
        joined = before is not None and at - before <= 2 * usual
        x = _PAD + (at - first) / ((last - first) or 1.0) * (SPARK_WIDTH - 2 * _PAD)
        steps.append(f"{'L' if joined else 'M'}{x:.1f} {y(value)}")
        before = at
    return Course(" ".join(steps), None if limit is None else y(limit), min(values), max(values), values[-1])
