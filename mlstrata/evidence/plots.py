"""Plots of what was measured, to be read by people: every figure with its interval, its number and its limit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from mlstrata.evidence.drawing import (
    BLUE,
    FAINT,
    GREY,
    INK,
    RED,
    Axis,
    Box,
    Dot,
    Drawing,
    Line,
    Shape,
    Words,
    legend,
    ticks,
)
from mlstrata.evidence.language import number, say
from mlstrata.evidence.measured import RATES, GroupRate, Measure

WIDTH = 480.0
_LABELS, _RIGHT, _ROW = 170.0, 110.0, 24.0
_LONGEST_LABEL = 30
_SIDE = 250.0


def intervals(measured: Sequence[Measure], limits: dict[str, tuple[float, str]]) -> Drawing:
    """Draw figures with their 95 % intervals.

    Args:
        measured: The figures.
        limits: Figure to its declared limit, and whether that is `at least` or `at most`.
    """
    ends = [end for one in measured for end in (one.value, one.high or 0.0, one.baseline or 0.0)]
    scale = ticks(max([*ends, *(limit for limit, _ in limits.values())], default=1.0))
    axis, top = Axis(scale[0], scale[-1], _LABELS, WIDTH - _RIGHT), 30.0
    shapes = _grid(axis, scale, top, top + _ROW * len(measured))
    for index, one in enumerate(measured):
        y = top + _ROW * (index + 0.5)
        shapes += [Words(0, y + 3, _short(one.name)), *_interval(axis, y, one.value, one.low, one.high)]
        shapes.append(Words(WIDTH, y + 3, _told(one.value, one.low, one.high), 8.5, "end"))
        if one.baseline is not None:
            shapes.append(Dot(axis.at(one.baseline), y, colour=GREY, hollow=True))
        if one.name in limits:
            x = axis.at(limits[one.name][0])
            shapes.append(Line(((x, y - 9), (x, y + 9)), RED, 1.6))
    entries: list[tuple[Shape, str]] = [(Dot(0, 0), say("measured, 95 % interval"))]
    if any(one.baseline is not None for one in measured):
        entries.append((Dot(0, 0, colour=GREY, hollow=True), say("same answer for everyone")))
    if limits:
        entries.append((Line(((0, -5), (0, 5)), RED, 1.6), say("declared limit")))
    return Drawing(WIDTH, top + _ROW * len(measured) + 20, (*legend(entries, 0, 12, 150), *shapes))


def groups(rates: Sequence[GroupRate]) -> Drawing:
    """Draw the rates of the groups of one attribute, a panel a rate."""
    shapes: list[Shape] = list(legend([(Dot(0, 0), say("rate of the group, 95 % Wilson interval"))], 0, 12))
    y = 34.0
    for rate, title in RATES.items():
        mine = [one for one in rates if one.rate == rate]
        if not mine:
            continue
        scale = (0.0, 0.25, 0.5, 0.75, 1.0)
        axis = Axis(0, 1, _LABELS, WIDTH - _RIGHT)
        shapes.append(Words(0, y, say(title), 8.5, bold=True))
        top = y + 6
        shapes += _grid(axis, scale, top, top + _ROW * len(mine))
        for index, one in enumerate(mine):
            at = top + _ROW * (index + 0.5)
            shapes += [Words(0, at + 3, _short(f"{one.group}  (n = {one.rows})"))]
            shapes += _interval(axis, at, one.value, one.low, one.high)
            shapes.append(
                Words(
                    WIDTH,
                    at + 3,
                    say(
                        "{value} ({low} to {high})",
                        value=number(one.value, ".1%"),
                        low=number(one.low, ".1%"),
                        high=number(one.high, ".1%"),
                    ),
                    8,
                    "end",
                )
            )
        y = top + _ROW * len(mine) + 34
    return Drawing(WIDTH, y - 14, tuple(shapes))


def roc(points: Sequence[tuple[float, float]], auc: float | None) -> Drawing:
    """Draw the ROC curve: points of false and true positive rate."""
    across, up, shapes = _square(say("false positive rate"), say("true positive rate"))
    shapes.append(Line(((across.at(0), up.at(0)), (across.at(1), up.at(1))), GREY, 0.8, dashed=True))
    shapes.append(Line(tuple((across.at(x), up.at(y)) for x, y in points), BLUE, 1.8))
    notes = (
        (say("dashed: the same answer for everyone"),)
        if auc is None
        else (
            say("AUC {auc}", auc=number(auc, ".3f")),
            say("dashed: the same answer"),
        )
    )
    shapes += [Words(across.at(1) + 14, up.at(1) + 8 + 12 * i, text, 8, colour=GREY) for i, text in enumerate(notes)]
    return Drawing(WIDTH, _SIDE + 44, tuple(shapes))


def calibration(bins: Sequence[tuple[float, float, float]]) -> Drawing:
    """Draw groups of rows: mean probability against the share that was positive, with its Wilson interval."""
    from mlstrata.evidence.measured import wilson

    across, up, shapes = _square(say("mean probability"), say("share that was positive"))
    shapes.append(Line(((across.at(0), up.at(0)), (across.at(1), up.at(1))), GREY, 0.8, dashed=True))
    for said, happened, rows in bins:
        x = across.at(said)
        low, high = wilson(happened, round(rows))
        shapes += [Line(((x, up.at(low)), (x, up.at(high))), INK, 1), Dot(x, up.at(happened), 3)]
    mean = number(sum(one[2] for one in bins) / len(bins), ".0f")
    notes = (say("{count} groups of about {rows} rows", count=len(bins), rows=mean), say("95 % Wilson intervals"),
             say("dashed: what is said happens"))  # fmt: skip
    shapes += [Words(across.at(1) + 14, up.at(1) + 8 + 12 * i, text, 8, colour=GREY) for i, text in enumerate(notes)]
    return Drawing(WIDTH, _SIDE + 44, tuple(shapes))


def against(rows: Sequence[tuple[float, float]]) -> Drawing:
    """Draw what happened against what was said of some rows."""
    ends = [end for row in rows for end in row]
    low, high = min(ends), max(ends)
    high = high if high > low else low + 1
    across, up = Axis(low, high, 60, 60 + _SIDE), Axis(low, high, 8 + _SIDE, 8)
    shapes: list[Shape] = [Line(((across.at(low), up.at(low)), (across.at(high), up.at(high))), GREY, 0.8, dashed=True)]
    for tick in (low, (low + high) / 2, high):
        x, y = across.at(tick), up.at(tick)
        shapes += [Line(((x, up.start), (x, up.end)), FAINT, 0.6), Line(((60, y), (60 + _SIDE, y)), FAINT, 0.6)]
        shapes += [
            Words(x, up.start + 13, number(tick, ".4g"), 8, "middle", GREY),
            Words(54, y + 3, number(tick, ".4g"), 8, "end", GREY),
        ]
    shapes += [Dot(across.at(happened), up.at(said), 1.8) for happened, said in rows]
    shapes.append(Words(60 + _SIDE / 2, up.start + 28, say("happened"), 8.5, "middle"))
    notes = (say("upwards: said"), say("dashed: said as it happened"))
    shapes += [
        Words(across.at(high) + 14, up.at(high) + 8 + 12 * i, text, 8, colour=GREY) for i, text in enumerate(notes)
    ]
    return Drawing(WIDTH, _SIDE + 44, tuple(shapes))


def curve(name: str, values: Sequence[float], said: Sequence[float]) -> Drawing:
    """Draw the mean answer while one feature takes the values."""
    below = tuple(-one for one in reversed(ticks(-min(said)))) if min(said) < 0 else ()
    scale = (*below[:-1], *ticks(max(*said, 0.0)))
    high = values[-1] if values[-1] > values[0] else values[0] + 1
    across, up = Axis(values[0], high, 60, 60 + _SIDE), Axis(scale[0], scale[-1], 130, 12)
    shapes: list[Shape] = []
    for tick in scale:
        y = up.at(tick)
        shapes += [Line(((60, y), (60 + _SIDE, y)), FAINT, 0.6), Words(54, y + 3, number(tick), 8, "end", GREY)]
    for value in values:
        shapes.append(Line(((across.at(value), 130), (across.at(value), 134)), GREY, 0.6))
    shapes += [Words(across.at(end), 145, number(end, ".3g"), 8, "middle", GREY) for end in (values[0], values[-1])]
    points = tuple((across.at(value), up.at(one)) for value, one in zip(values, said, strict=True))
    shapes += [Line(points, BLUE, 1.8), *(Dot(x, y, 2.5) for x, y in points)]
    shapes.append(
        Words(60 + _SIDE / 2, 160, say("{name}: mean answer at each value", name=_short(name)), 8.5, "middle")
    )
    return Drawing(WIDTH, 166, tuple(shapes))


def _square(below: str, beside: str) -> tuple[Axis, Axis, list[Shape]]:
    across, up = Axis(0, 1, 60, 60 + _SIDE), Axis(0, 1, 8 + _SIDE, 8)
    shapes: list[Shape] = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = across.at(tick), up.at(tick)
        shapes += [Line(((x, up.start), (x, up.end)), FAINT, 0.6), Line(((60, y), (60 + _SIDE, y)), FAINT, 0.6)]
        shapes += [
            Words(x, up.start + 13, number(tick), 8, "middle", GREY),
            Words(54, y + 3, number(tick), 8, "end", GREY),
        ]
    shapes.append(Words(60 + _SIDE / 2, up.start + 28, below, 8.5, "middle"))
    shapes.append(Words(across.at(1) + 14, up.at(0), say("upwards: {beside}", beside=beside), 8, colour=GREY))
    return across, up, shapes


def _grid(axis: Axis, scale: Sequence[float], top: float, bottom: float) -> list[Shape]:
    shapes: list[Shape] = []
    rows = [top + _ROW * index for index in range(round((bottom - top) / _ROW) + 1)]
    for index, (start, end) in enumerate(pairwise(rows)):
        if index % 2 == 0:
            shapes.append(Box(0, start, WIDTH, end - start, "#f5f7f9"))
    for tick in scale:
        x = axis.at(tick)
        shapes += [Line(((x, top), (x, bottom)), FAINT, 0.6), Words(x, bottom + 11, number(tick), 8, "middle", GREY)]
    return shapes


def _interval(axis: Axis, y: float, value: float, low: float | None, high: float | None) -> list[Shape]:
    shapes: list[Shape] = []
    if low is not None and high is not None:
        left, right = axis.at(low), axis.at(high)
        shapes.append(Line(((left, y), (right, y)), INK, 1.2))
        shapes += [Line(((x, y - 4), (x, y + 4)), INK, 1.2) for x in (left, right)]
    return [*shapes, Dot(axis.at(value), y)]


def _told(value: float, low: float | None, high: float | None) -> str:
    return (
        number(value, ".3f")
        if low is None or high is None
        else say(
            "{value} ({low} to {high})", value=number(value, ".3f"), low=number(low, ".3f"), high=number(high, ".3f")
        )
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"
