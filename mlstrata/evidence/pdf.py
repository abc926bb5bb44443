"""A document as PDF, the same bytes from the same content.

The font that comes with the library has Latin letters; a character it lacks is spelled out (`[U+4E2D]`), never lost.
"""
# mypy: disable-error-code="misc,unused-ignore"

from __future__ import annotations

from html import escape
from io import BytesIO
from typing import Any

from mlstrata.evidence.blocks import Block, Document, Figure, Heading, Needed, Status, Table, Text, facts, visible
from mlstrata.evidence.drawing import Box, Dot, Line, Words
from mlstrata.evidence.pdf_pages import BOLD, FONT, WIDTH, build, fonts, styles

_LONGEST = 3000
"""Characters of a text as wide as the page, and of a cell its share of them: a row must fit on a page; the HTML holds
the whole."""
_COLOURS = {Status.DECLARED: "#6b4600", Status.PLANNED: "#1d4177", Status.OBSERVED: "#1d5430"}


def render(document: Document) -> bytes:
    """Return the PDF."""
    from reportlab.platypus import PageBreak, Paragraph, Spacer

    fonts()
    style = styles()
    story: list[Any] = [Paragraph(_safe(document.shown_title), style["title"])]
    story += [Paragraph(_safe(document.subtitle), style["note"]), Spacer(1, 10)]
    story += [Paragraph(_safe(document.state), style["whole" if document.complete else "state"]), Spacer(1, 12)]
    if document.control:
        story += [*_table(facts(document.control, Status.NOTE), style, ""), Spacer(1, 14)]
    if document.has_contents:
        story += [Paragraph("Contents", style["contents"]), _contents(style), PageBreak()]
    tables = figures = 0
    for section in document.sections:
        story.append(Paragraph(_safe(section.title), style["section"]))
        for block in section.blocks:
            captioned = isinstance(block, Table) and bool(block.caption)
            tables, figures = tables + captioned, figures + isinstance(block, Figure)
            story += _flowables(block, style, f"Table {tables}" if captioned else f"Figure {figures}")
    out = BytesIO()
    build(out, story, title=_known(document.shown_title), subject=_known(document.subtitle))
    return out.getvalue()


def _contents(style: dict[str, Any]) -> Any:
    from reportlab.platypus.tableofcontents import TableOfContents

    return TableOfContents(levelStyles=[style["entry"]], dotsMinLevel=0)


def _flowables(block: Block, style: dict[str, Any], number: str) -> list[Any]:
    from reportlab.platypus import KeepTogether, Paragraph, Spacer

    if isinstance(block, Text):
        kind = "note" if block.status is Status.NOTE else "body"
        return [Paragraph(f"{_mark(block.status)}{_safe(_cut(block.text, 1))}", style[kind])]
    if isinstance(block, Heading):
        return [Paragraph(_safe(block.text), style["point"])]
    if isinstance(block, Needed):
        return [Paragraph(_safe(_cut(block.said, 1)), style["needed"])]
    if isinstance(block, Figure):
        caption = Paragraph(f"{_mark(Status.OBSERVED)}{number}. {_safe(_cut(block.title, 0.2))}", style["caption"])
        return [KeepTogether([_drawing(block), Spacer(1, 2), caption])]
    return _table(block, style, number)


def _table(block: Table, style: dict[str, Any], number: str) -> list[Any]:
    from reportlab.lib import colors
    from reportlab.platypus import Paragraph
    from reportlab.platypus import Table as Grid

    columns = len(block.shares)
    rows = [[Paragraph(f"<b>{_safe(one)}</b>", style["cell"]) for one in block.headings]] if block.headings else []
    for row in block.rows:
        cells = [_safe(_cut(cell, share)) for cell, share in zip(row, block.shares, strict=True)]
        if not block.headings:
            cells[0] = f"<b>{cells[0]}</b>"
        rows.append([Paragraph(cell, style["cell"]) for cell in cells])
    if not rows:
        rows = [[Paragraph("none", style["cell"])] + [""] * (columns - 1)]
    shaded = ((0, 0), (-1, 0)) if block.headings else ((0, 0), (0, -1))
    looks = [
        ("GRID", (0, 0), (-1, -1), 0.4, colors.HexColor("#c9d0d7")),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("BACKGROUND", *shaded, colors.HexColor("#eef1f4")),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
    ]
    widths = [WIDTH * share for share in block.shares]
    grid = Grid(rows, colWidths=widths, style=looks, repeatRows=bool(block.headings), spaceBefore=3, spaceAfter=10)
    if not block.caption:
        return [grid]
    said = f"{_mark(block.status)}{number}. {_safe(_cut(block.caption, 0.2))}"
    caption = Paragraph(said, style["caption"])
    caption.keepWithNext = True
    return [caption, grid]


def _mark(status: Status) -> str:
    """Return a mark in its colour, and in words for who cannot see that."""
    if status is Status.NOTE:
        return ""
    return f'<font color="{_COLOURS[status]}"><b>[{status}]</b></font> '


def _drawing(figure: Figure) -> Any:
    from reportlab.graphics import shapes
    from reportlab.lib import colors

    height = figure.drawing.height
    drawn = shapes.Drawing(figure.drawing.width, height)
    for shape in figure.drawing.shapes:
        if isinstance(shape, Line):
            points = [part for x, y in shape.points for part in (x, height - y)]
            dashes = [4, 3] if shape.dashed else None
            colour = colors.HexColor(shape.colour)
            drawn.add(shapes.PolyLine(points, strokeColor=colour, strokeWidth=shape.width, strokeDashArray=dashes))
        elif isinstance(shape, Dot):
            colour = colors.HexColor(shape.colour)
            fill = colors.white if shape.hollow else colour
            edge = colour if shape.hollow else None
            drawn.add(shapes.Circle(shape.x, height - shape.y, shape.radius, fillColor=fill, strokeColor=edge))
        elif isinstance(shape, Box):
            low, fill = height - shape.y - shape.height, colors.HexColor(shape.colour)
            drawn.add(shapes.Rect(shape.x, low, shape.width, shape.height, fillColor=fill, strokeColor=None))
        else:
            drawn.add(_words(shape, height))
    return drawn


def _words(shape: Words, height: float) -> Any:
    from reportlab.graphics.shapes import String
    from reportlab.lib import colors

    return String(
        shape.x,
        height - shape.y,
        _known(visible(shape.text)),
        fontName=BOLD if shape.bold else FONT,
        fontSize=shape.size * 0.88,  # this font is wider than those of a browser
        textAnchor=shape.anchor,
        fillColor=colors.HexColor(shape.colour),
    )


def _known(text: str) -> str:
    """Return text with what the font lacks spelled out."""
    from reportlab.pdfbase import pdfmetrics

    glyphs = pdfmetrics.getFont(FONT).face.charToGlyph
    return "".join(char if ord(char) in glyphs else f"[U+{ord(char):04X}]" for char in visible(text))


def _safe(text: str) -> str:
    return escape(_known(text))


def _cut(text: str, share: float) -> str:
    longest, known = int(_LONGEST * share), _known(text)
    return known if len(known) <= longest else f"{known[:longest]} ... (the HTML has it whole)"
