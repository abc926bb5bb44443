"""The picture of a system's architecture: what the plan holds of it and of the platform, and what flows between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlstrata.evidence.drawing import BLUE, GREY, INK, Box, Drawing, Line, Shape, Words
from mlstrata.evidence.facts import Part
from mlstrata.evidence.language import say

WIDTH, _BOX, _TALL, _STEP, _ROW, _TOP = 480.0, 128.0, 40.0, 164.0, 74.0, 30.0
_TIP = 5.0


@dataclass(frozen=True)
class _Node:
    """A box.

    Attributes:
        name: What it is called.
        column: From the left, from 0.
        row: From the top, from 0.
        tokens: Types of components, or labels of parts: one of them means that it is planned; none: it is outside.
    """

    name: str
    column: int
    row: int
    tokens: tuple[str, ...] = ()


NODES = {
    "users": _Node("People and programs", 0, 0),
    "gateway": _Node("Gateway", 1, 0, ("mlstrata:gateway:Gateway",)),
    "serving": _Node("Model server", 2, 0, ("serving",)),
    "stop": _Node("Kill switch", 0, 1, ("kill-switch",)),
    "recorder": _Node("Recorder of predictions", 1, 1, ("mlstrata:recording:Recorder",)),
    "explainer": _Node("Explainer", 2, 1, ("explainer",)),
    "monitor": _Node("Monitoring and alerts", 0, 2, ("mlstrata:monitor:Monitor", "mlstrata:monitoring:Monitoring")),
    "learning": _Node("Learning loop", 1, 2, ("mlstrata:learning:Learning",)),
    "registry": _Node("Model registry", 2, 2, ("mlstrata:registry:Registry",)),
    "pipelines": _Node("Training pipelines", 1, 3, ("mlstrata:pipelines:Pipelines", "mlstrata:pipelines:Kubeflow")),
}
FLOWS = (
    ("users", "gateway", "requests"),
    ("gateway", "serving", "inputs"),
    ("stop", "gateway", "stop"),
    ("gateway", "recorder", "predictions"),
    ("serving", "explainer", "predictions to explain"),
    ("recorder", "monitor", "records"),
    ("recorder", "learning", "records"),
    ("monitor", "learning", "alerts"),
    ("learning", "pipelines", "runs"),
    ("pipelines", "registry", "versions"),
    ("registry", "serving", "the released version"),
)
"""From, to, and what flows; drawn where both are planned."""


def architecture(parts: Sequence[Part]) -> tuple[Drawing, str] | None:
    """Return the picture and the text in its place; None where the plan holds no part that it knows."""
    found = {name: _owned(node, parts) for name, node in NODES.items()}
    shown = {name for name, own in found.items() if own is not None}
    if not shown:
        return None
    shown.add("users")
    flows = [(start, end, what) for start, end, what in FLOWS if {start, end} <= shown]
    shapes: list[Shape] = [shape for name in NODES if name in shown for shape in _box(NODES[name], own=found[name])]
    shapes += [shape for start, end, _ in flows for shape in _arrow(NODES[start], NODES[end])]
    told = "; ".join(
        say("{start} to {end}: {what}", start=say(NODES[start].name), end=say(NODES[end].name), what=say(what))
        for start, end, what in flows
    )
    legend = (("#e3ecf9", BLUE, say("of this system alone")), ("#eef1f4", GREY, say("shared with the platform")))
    for index, (fill, edge, text) in enumerate(legend):
        x = 160.0 * index
        shapes += [Box(x, 3, 14, 10, fill), _outline(x, 3, 14, 10, edge), Words(x + 20, 12, text, 8, colour=GREY)]
    high = max(NODES[name].row for name in shown)
    return Drawing(WIDTH, _TOP + high * _ROW + _TALL + 4, tuple(shapes)), told


def _owned(node: _Node, parts: Sequence[Part]) -> bool | None:
    """Return whether what is planned of a node is the system's own; None where nothing is planned."""
    own = [one.own for one in parts if one.type in node.tokens or (one.own and one.part in node.tokens)]
    return any(own) if own else None


def _at(node: _Node) -> tuple[float, float]:
    return node.column * _STEP, _TOP + node.row * _ROW


def _outline(x: float, y: float, width: float, height: float, colour: str) -> Line:
    return Line(((x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)), colour, 1.0)


def _box(node: _Node, *, own: bool | None) -> list[Shape]:
    x, y = _at(node)
    words = Words(x + _BOX / 2, y + _TALL / 2 + 3, say(node.name), 9, "middle", bold=bool(own))
    if own is None:
        return [_outline(x, y, _BOX, _TALL, GREY), words]
    fill, edge = ("#e3ecf9", BLUE) if own else ("#eef1f4", GREY)
    return [Box(x, y, _BOX, _TALL, fill), _outline(x, y, _BOX, _TALL, edge), words]


def _arrow(start: _Node, end: _Node) -> list[Shape]:
    (x, y), (to_x, to_y) = _at(start), _at(end)
    middle = _TALL / 2
    if start.column == end.column and abs(start.row - end.row) > 1:
        # Around what stands between, on the right.
        side = x + _BOX + 14
        return _line((x + _BOX, y + middle), (side, y + middle), (side, to_y + middle), (to_x + _BOX, to_y + middle))
    if start.column == end.column:
        return _line((x + _BOX / 2, y + _TALL), (to_x + _BOX / 2, to_y))
    left = start.column < end.column
    ends = (x + _BOX, to_x) if left else (x, to_x + _BOX)
    if start.row == end.row:
        return _line((ends[0], y + middle), (ends[1], to_y + middle))
    # Two arrows between the same columns go by each other, and beside one that comes straight.
    up = to_y < y
    corner, start_y = (ends[0] + ends[1]) / 2 + (6 if up else -6), y + middle + (-7 if up else 7)
    end_y = to_y + middle + (7 if up else -7)
    return _line((ends[0], start_y), (corner, start_y), (corner, end_y), (ends[1], end_y))


def _line(*points: tuple[float, float]) -> list[Shape]:
    (from_x, from_y), (x, y) = points[-2:]
    across, down = (x > from_x) - (x < from_x), (y > from_y) - (y < from_y)
    back_x, back_y = x - across * _TIP, y - down * _TIP
    wing = _TIP * 0.6
    tip = ((back_x - down * wing, back_y - across * wing), (x, y), (back_x + down * wing, back_y + across * wing))
    return [Line(points, INK, 1.0), Line(tip, INK, 1.2)]
