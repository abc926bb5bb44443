"""A plot as a list of shapes, which SVG and PDF draw alike. Units are points; y grows downwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

INK, GREY, FAINT = "#1c2733", "#6b7785", "#d5dae0"
BLUE, RED = "#1f5f99", "#b3261e"


@dataclass(frozen=True)
class Line:
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    colour: str = INK
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True)
class Dot:
    """A filled circle, or a ring."""

    x: float
    y: float
    radius: float = 3.5
    colour: str = BLUE
    hollow: bool = False


@dataclass(frozen=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str = FAINT


@dataclass(frozen=True)
class Words:
    """A line of text.

    Attributes:
        x: Where it starts, ends, or has its middle.
        y: Its base line.
        text: The text.
        size: Of the letters.
        anchor: start, middle or end.
        colour: Its colour.
        bold: Whether it is.
    """

    x: float
    y: float
    text: str
    size: float = 8.5
    anchor: str = "start"
    colour: str = INK
    bold: bool = False


Shape = Line | Dot | Box | Words


@dataclass(frozen=True)
class Drawing:
    """Shapes on a page of so many points."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Axis:
    """A scale of values over a range of places."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the place of a value, kept within the axis."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def ticks(high: float) -> tuple[float, ...]:
    """Return round values from 0 to the first at or above `high`, four to ten of them."""
    for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25):
        if high <= step * 5:
            count = max(4, -int(-high // step))
            return tuple(round(step * index, 4) for index in range(count + 1))
    power = 10.0 ** math.floor(math.log10(high))
    step = next(factor * power for factor in (0.25, 0.5, 1, 2, 5) if high <= factor * power * 5)
    return tuple(float(f"{step * index:.6g}") for index in range(max(4, -int(-high // step)) + 1))


def legend(entries: Sequence[tuple[Shape, str]], x: float, y: float, step: float = 120.0) -> list[Shape]:
    """Return marks with what they mean, on one line; the marks are drawn around (0, 0)."""
    shapes: list[Shape] = []
    for index, (mark, text) in enumerate(entries):
        left = x + step * index
        if isinstance(mark, Dot):
            shapes.append(Dot(left + 6, y - 3, mark.radius, mark.colour, mark.hollow))
        elif isinstance(mark, Line):
            ends = tuple((left + 6 + dx, y - 3 + dy) for dx, dy in mark.points)
            shapes.append(Line(ends, mark.colour, mark.width, mark.dashed))
        shapes.append(Words(left + 17, y, text, 8, colour=GREY))
    return shapes
