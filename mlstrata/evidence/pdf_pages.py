"""Pages of a PDF: fonts, styles, headers, `page x of y`, and the numbers in the table of contents."""
# mypy: disable-error-code="misc,unused-ignore"

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

FONT, BOLD = "Vera", "VeraBd"
MARGIN = 57.0
"""Points, 2 cm."""
WIDTH = 481.0
"""Points between the margins of A4."""


def fonts() -> None:
    """Make the fonts known that come with the library."""
    import reportlab
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(reportlab.__file__).parent / "fonts"
    for name in (FONT, BOLD):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=FONT, boldItalic=BOLD)


def styles() -> dict[str, Any]:
    """Return the styles of paragraphs by what they are for."""
    from reportlab.lib import colors
    from reportlab.lib.styles import ParagraphStyle

    body = ParagraphStyle("body", fontName=FONT, fontSize=8.5, leading=12, spaceAfter=4)
    grey, mark = colors.HexColor("#5b6773"), colors.HexColor("#8a5a00")

    def like(name: str, **changes: Any) -> Any:
        return ParagraphStyle(name, parent=body, **changes)

    boxed = {"borderPadding": 6, "borderWidth": 1.2, "fontName": BOLD}
    head = {"fontName": BOLD, "keepWithNext": 1}
    return {
        "body": body,
        "note": like("note", textColor=grey),
        "cell": like("cell", fontSize=7.5, leading=10, spaceAfter=0, splitLongWords=1),
        "caption": like("caption", fontSize=7.5, leading=10, textColor=grey, spaceBefore=4),
        "needed": like(
            "needed", textColor=mark, backColor=colors.HexColor("#fff8e6"), borderPadding=3, spaceBefore=4, spaceAfter=7
        ),
        "state": like("state", **boxed, borderColor=mark, backColor=colors.HexColor("#fff8e6")),
        "whole": like("whole", **boxed, borderColor=colors.HexColor("#2e6b3a")),
        "title": like("title", fontName=BOLD, fontSize=17, leading=22, spaceAfter=6),
        "contents": like("contents", fontName=BOLD, fontSize=11, leading=14, spaceAfter=4),
        "entry": like("entry", leading=15),
        "section": like("section", **head, fontSize=12.5, leading=16, spaceBefore=16, spaceAfter=6),
        "point": like("point", **head, fontSize=9, leading=12, spaceBefore=9, spaceAfter=3),
    }  # fmt: skip


def build(out: BinaryIO, story: list[Any], *, title: str, subject: str) -> None:
    """Lay a story out on pages, twice or more, until the numbers in its table of contents hold."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

    class Pages(BaseDocTemplate):  # type: ignore[misc]
        def afterFlowable(self, flowable: Any) -> None:  # noqa: N802 - the library's name
            if getattr(getattr(flowable, "style", None), "name", "") == "section":
                text, key = flowable.getPlainText(), f"section-{self.page}-{self.seq_of(flowable)}"
                self.canv.bookmarkPage(key)
                self.canv.addOutlineEntry(text, key, 0, closed=False)
                self.notify("TOCEntry", (0, _escaped(text), self.page, key))

        def seq_of(self, flowable: Any) -> int:
            return headed.index(id(flowable)) if id(flowable) in headed else -1

    headed = [id(one) for one in story if getattr(getattr(one, "style", None), "name", "") == "section"]
    margins = {"leftMargin": MARGIN, "rightMargin": MARGIN, "topMargin": 62, "bottomMargin": 54}
    pages = Pages(out, pagesize=A4, title=title, author="mlstrata", subject=subject, lang="en", invariant=1, **margins)
    frame = Frame(MARGIN, 54, WIDTH, A4[1] - 116, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)
    pages.addPageTemplates([PageTemplate(frames=[frame])])
    pages.multiBuild(story, canvasmaker=_canvas(title))


def _escaped(text: str) -> str:
    from html import escape

    return escape(text)


def _canvas(title: str) -> Any:
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    class Numbered(Canvas):  # type: ignore[misc]
        """Keeps the pages until it knows how many there are."""

        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self._kept: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 - the library's name
            self._kept.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, page in enumerate(self._kept, start=1):
                self.__dict__.update(page)
                self._dress(number, len(self._kept))
                super().showPage()
            super().save()

        def _dress(self, number: int, pages: int) -> None:
            self.setFont(FONT, 7)
            self.setFillColor(colors.HexColor("#5b6773"))
            self.drawString(MARGIN, A4[1] - 40, title[:105])
            self.drawRightString(MARGIN + WIDTH, 32, f"page {number} of {pages}")
            self.setStrokeColor(colors.HexColor("#c9d0d7"))
            self.line(MARGIN, A4[1] - 46, MARGIN + WIDTH, A4[1] - 46)

    return Numbered
