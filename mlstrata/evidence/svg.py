"""A plot as SVG, inside a page or as a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from mlstrata.evidence.blocks import Figure, visible
from mlstrata.evidence.drawing import Box, Dot, Line, Shape, Words

FONTS = "Helvetica, Arial, sans-serif"


def render(figure: Figure, font: str = FONTS, known: Callable[[str], str] = visible) -> str:
    """Return the plot; its title is its text for who cannot see it.

    Args:
        figure: The plot.
        font: What its words are drawn with.
        known: Makes words of what that font has.
    """
    drawing = figure.drawing
    shapes = "".join(_shape(shape, known) for shape in drawing.shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(drawing.width)} {_n(drawing.height)}" role="img" '
        f'width="{_n(drawing.width)}" height="{_n(drawing.height)}" font-family="{font}">'
        f"<title>{escape(known(figure.alternative))}</title>{shapes}</svg>"
    )


def _shape(shape: Shape, known: Callable[[str], str]) -> str:
    if isinstance(shape, Line):
        points = " ".join(f"{_n(x)},{_n(y)}" for x, y in shape.points)
        dashes = ' stroke-dasharray="4 3"' if shape.dashed else ""
        looks = f'fill="none" stroke="{shape.colour}" stroke-width="{_n(shape.width)}"'
        return f'<polyline points="{points}" {looks}{dashes}/>'
    if isinstance(shape, Dot):
        fill, edge = ("#fff", shape.colour) if shape.hollow else (shape.colour, "none")
        return f'<circle cx="{_n(shape.x)}" cy="{_n(shape.y)}" r="{_n(shape.radius)}" fill="{fill}" stroke="{edge}"/>'
    if isinstance(shape, Box):
        return (
            f'<rect x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}" height="{_n(shape.height)}" '
            f'fill="{shape.colour}"/>'
        )
    return _words(shape, known)


def _words(shape: Words, known: Callable[[str], str]) -> str:
    weight = ' font-weight="bold"' if shape.bold else ""
    return (
        f'<text x="{_n(shape.x)}" y="{_n(shape.y)}" font-size="{_n(shape.size)}" text-anchor="{shape.anchor}" '
        f'fill="{shape.colour}"{weight}>{escape(known(shape.text))}</text>'
    )


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
