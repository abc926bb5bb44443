"""A document as PDF, the same bytes from the same content, and its plots as SVG by the same drawing.

The font that comes with the library has Latin letters; a character it lacks is spelled out (`[U+4E2D]`), never lost.
"""

from __future__ import annotations

from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from policies.evidence.blocks import Block, Document, Figure, Needed, Text

FONT, BOLD = "Vera", "VeraBd"
_WIDTH = 480.0
"""Points between the margins of A4."""
_LONGEST = {1: 4000, 2: 1500, 3: 1000}
"""Characters of a cell by the number of columns: a row must fit on a page; the HTML holds the whole."""
_WIDE_TABLE = 400
_BAR, _LABELS = 18.0, 170.0


def render(document: Document) -> bytes:
    """Return the PDF."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

    _fonts()
    body = ParagraphStyle("body", fontName=FONT, fontSize=9, leading=12, spaceAfter=4)
    head = ParagraphStyle("head", fontName=BOLD, fontSize=12, leading=15, spaceBefore=10, spaceAfter=4)
    top = ParagraphStyle("top", fontName=BOLD, fontSize=16, leading=20, spaceAfter=8)
    story: list[Any] = [Paragraph(_safe(document.shown_title), top), Paragraph(_safe(document.subtitle), body)]
    for section in document.sections:
        story.append(Paragraph(_safe(section.title), head))
        story += [_flowable(block, body) for block in section.blocks]
        story.append(Spacer(1, 4))
    out = BytesIO()
    template = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=57,
        rightMargin=57,
        title=_known(document.shown_title),
        author="mlstrata",
        subject=_known(document.subtitle),
        lang="en",
        invariant=1,
    )
    template.build(story, onFirstPage=_foot, onLaterPages=_foot)
    return out.getvalue()


def svg(figure: Figure) -> str:
    """Return a plot as SVG."""
    from reportlab.graphics import renderSVG

    _fonts()
    drawn = renderSVG.drawToString(_drawing(figure))
    return drawn.decode() if isinstance(drawn, bytes) else str(drawn)


def _flowable(block: Block, body: Any) -> Any:  # noqa: ANN401 - the library has no types
    from reportlab.lib import colors
    from reportlab.platypus import Paragraph, Table

    if isinstance(block, Text):
        return Paragraph(_safe(_cut(block.text, 1)), body)
    if isinstance(block, Needed):
        return Paragraph(f'<font color="#8a5a00">{_safe(_cut(block.said, 1))}</font>', body)
    if isinstance(block, Figure):
        return _drawing(block)
    columns = len(block.headings)
    rows = [[Paragraph(f"<b>{_safe(one)}</b>", body) for one in block.headings]]
    rows += [[Paragraph(_safe(_cut(cell, columns)), body) for cell in row] for row in block.rows]
    grid = [("GRID", (0, 0), (-1, -1), 0.4, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    return Table(rows, colWidths=[_WIDTH / columns] * columns, style=grid, repeatRows=1)


def _drawing(figure: Figure) -> Any:  # noqa: ANN401 - the library has no types
    from reportlab.graphics.shapes import Drawing, Line, Rect, String
    from reportlab.lib import colors

    height = 30 + _BAR * len(figure.bars)
    drawing = Drawing(_WIDTH, height)
    ends = [end for bar in figure.bars for end in (bar.value, *(bar.interval or ()), bar.limit or 0.0)]
    scale = (_WIDTH - _LABELS - 60) / max(1.0, *ends)
    drawing.add(String(0, height - 12, _known(figure.title)[:90], fontName=BOLD, fontSize=9))
    for index, bar in enumerate(figure.bars):
        y = height - 30 - _BAR * index
        drawing.add(String(0, y, _known(bar.label)[:28], fontName=FONT, fontSize=8))
        drawing.add(Rect(_LABELS, y - 2, max(0.0, bar.value) * scale, 10, fillColor=colors.steelblue, strokeColor=None))
        if bar.interval:
            low, high = (_LABELS + max(0.0, end) * scale for end in bar.interval)
            drawing.add(Line(low, y + 3, high, y + 3, strokeColor=colors.black))
        if bar.limit is not None:
            x = _LABELS + bar.limit * scale
            drawing.add(Line(x, y - 4, x, y + 10, strokeColor=colors.red))
        drawing.add(String(_WIDTH - 50, y, f"{bar.value:.3f}", fontName=FONT, fontSize=8))
    return drawing


def _foot(canvas: Any, _template: object) -> None:  # noqa: ANN401 - the library has no types
    canvas.setFont(FONT, 8)
    canvas.drawRightString(_WIDTH + 57, 30, str(canvas.getPageNumber()))


def _fonts() -> None:
    import reportlab
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(reportlab.__file__).parent / "fonts"
    for name in (FONT, BOLD):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=FONT, boldItalic=BOLD)


def _known(text: str) -> str:
    """Return text with what the font lacks spelled out."""
    from reportlab.pdfbase import pdfmetrics

    glyphs = pdfmetrics.getFont(FONT).face.charToGlyph
    return "".join(char if ord(char) in glyphs else f"[U+{ord(char):04X}]" for char in text)


def _safe(text: str) -> str:
    return escape(_known(text))


def _cut(text: str, columns: int) -> str:
    longest = _LONGEST.get(columns, _WIDE_TABLE)
    known = _known(text)
    return known if len(known) <= longest else f"{known[:longest]} ... (the HTML has it whole)"
