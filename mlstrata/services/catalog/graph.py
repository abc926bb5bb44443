"""Walks and lays out the lineage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlstrata.services.catalog.model import Catalog, Edge, Node, NodeKind


def ends(catalog: Catalog, node: str, *, upstream: bool) -> set[str]:
    """Return every node that leads to `node`, or that `node` leads to; itself not among them unless it does."""
    ways: dict[str, list[str]] = {}
    for edge in catalog.edges:
        here, there = (edge.target, edge.source) if upstream else (edge.source, edge.target)
        ways.setdefault(here, []).append(there)
    found: set[str] = set()
    todo = [node]
    while todo:
        for there in ways.get(todo.pop(), ()):
            if there not in found:
                found.add(there)
                todo.append(there)
    return found


def around(catalog: Catalog, node: str) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """Return what a node came from and what came from it, with the node itself."""
    near = {node} | ends(catalog, node, upstream=True) | ends(catalog, node, upstream=False)
    return part(catalog, near)


def part(catalog: Catalog, near: set[str]) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """Return the nodes named, and the edges between them."""
    nodes = tuple(one for one in catalog.nodes if one.id in near)
    return nodes, tuple(edge for edge in catalog.edges if {edge.source, edge.target} <= near)


WIDTH, HEIGHT, COLUMN, ROW, MARGIN = 150, 44, 190, 58, 12
"""Of a box, of the step to the next column and row, and around the drawing; in SVG user units (CSS pixels)."""
LETTERS = 20
"""Characters of a label that fit a box; the whole one is in its title."""


@dataclass(frozen=True)
class Box:
    """A node with its place."""

    node: Node
    x: int
    y: int

    @property
    def label(self) -> str:
        """Return the label, cut to what fits."""
        text = self.node.label
        return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"

    @property
    def centre(self) -> int:
        """Return the middle of its text."""
        return self.x + WIDTH // 2


@dataclass(frozen=True)
class Drawing:
    """A lineage with places: a column for each kind of station, from source to who is answered."""

    boxes: tuple[Box, ...]
    lines: tuple[str, ...]
    width: int
    height: int


def draw(nodes: Iterable[Node], edges: Iterable[Edge]) -> Drawing:
    """Place nodes and lines; each line is an SVG path from the right of one box to the left of the next."""
    columns: dict[NodeKind, list[Node]] = {}
    for node in nodes:
        columns.setdefault(node.kind, []).append(node)
    shown = [kind for kind in NodeKind if kind in columns]
    tallest = max((len(column) for column in columns.values()), default=0)
    places: dict[str, Box] = {}
    for across, kind in enumerate(shown):
        above = (tallest - len(columns[kind])) * ROW // 2
        for down, node in enumerate(columns[kind]):
            places[node.id] = Box(node, MARGIN + across * COLUMN, MARGIN + above + down * ROW)
    lines = tuple(_line(places[edge.source], places[edge.target]) for edge in edges)
    width = 2 * MARGIN + max(0, len(shown) - 1) * COLUMN + WIDTH
    return Drawing(tuple(places.values()), lines, width, 2 * MARGIN + max(1, tallest) * ROW - (ROW - HEIGHT))


def _line(before: Box, after: Box) -> str:
    x1, y1 = before.x + WIDTH, before.y + HEIGHT // 2
    x2, y2 = after.x, after.y + HEIGHT // 2
    bend = max(20, abs(x2 - x1) // 2)
    return f"M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
