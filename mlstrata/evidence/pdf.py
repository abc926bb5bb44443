"""A document as PDF that lasts and can be read aloud: PDF/A-2a and PDF/UA-1, the same bytes from the same content.

`document.typ` lays it out, and gets all text as data. The font that comes with the library has Latin, Greek and
Cyrillic letters; a character it lacks is spelled out (`[U+4E2D]`), never lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unicodedata import normalize

from mlstrata.evidence import svg
from mlstrata.evidence.blocks import Block, Document, Figure, Heading, Needed, Status, Table, Text, facts, visible
from mlstrata.evidence.language import heads, say, spoken

STANDARDS = ("a-2a", "ua-1")
"""ISO 19005-2, level a, which asks for tags and Unicode, and ISO 14289-1, which asks for what a screen reader needs."""
FONT = "Libertinus Serif"
_LAYOUT = Path(__file__).with_name("document.typ")
_LETTERS = 95
"""Letters of a table's size that a line as wide as the page holds."""
_PIECE = re.compile(r"[^/_.:+@=T-]{0,11}[/_.:+@=T-]|\S{12}")
"""What a long word is broken after: a mark, or so many letters."""
_UNDATED = date(1970, 1, 1)
_RANGES = (
    *((0x20, 0x7E), (0xA0, 0xAC), (0xAE, 0x2E4), (0x1E00, 0x1E9B), (0x1E9E, 0x1E9E), (0x1EA0, 0x1EF9)),  # Latin
    *((0x384, 0x38A), (0x38C, 0x38C), (0x38E, 0x3A1), (0x3A3, 0x3CE), (0x400, 0x45F)),  # Greek and Cyrillic
    *((0x2010, 0x2027), (0x2030, 0x2037), (0x2039, 0x203E), (0x2070, 0x2071), (0x2074, 0x208E)),  # punctuation, powers
    *((0x20AC, 0x20AC), (0x2116, 0x2116), (0x2122, 0x2122), (0x2190, 0x219B), (0x2200, 0x220D), (0x220F, 0x221A)),
    *((0x221E, 0x221E), (0x2260, 0x2262), (0x2264, 0x2265)),
)
"""Characters that the font has, first and last of each range: what is not text, combines or is hidden is left out."""


class PdfUnavailable(RuntimeError):
    """The library that makes PDF is not installed."""


def render(document: Document, day: date | None = None) -> bytes:
    """Return the PDF.

    Args:
        document: The document.
        day: The day it speaks of, which its metadata name; None: it has none.

    Raises:
        PdfUnavailable: the library is not installed.
    """
    typst = library()
    made = datetime.combine(day or _UNDATED, datetime.min.time(), UTC)
    written = typst.compile(
        _LAYOUT.read_bytes(),
        sys_inputs={"document": json.dumps(_content(document), sort_keys=True)},
        pdf_standards=list(STANDARDS),
        ignore_system_fonts=True,
        timestamp=made,
    )
    return bytes(written)


def library() -> ModuleType:
    """Return the library that writes PDF.

    Raises:
        PdfUnavailable: it is not installed.
    """
    try:
        import typst
    except ImportError as error:
        text = f"typst, which writes PDF, cannot be used here ({error}); install mlstrata with its dependencies"
        raise PdfUnavailable(text) from None
    return typst


def _content(document: Document) -> dict[str, Any]:
    numbers = _Numbers()
    return {
        "language": str(spoken()),
        "title": known(document.shown_title),
        "short": known(document.shown_title)[:110],
        "subtitle": known(document.subtitle),
        "state": known(document.state),
        "complete": document.complete,
        "contents": document.has_contents,
        "control": _table(facts(document.control, Status.NOTE), numbers) if document.control else None,
        "words": {"contents": say("Contents"), "page": say("page {page} of {pages}")},
        "sections": [
            {"title": known(section.title), "blocks": [_block(block, numbers) for block in section.blocks]}
            for section in document.sections
        ],
    }


class _Numbers:
    """Counts tables and figures."""

    def __init__(self) -> None:
        self._counts = {"Table {number}": 0, "Figure {number}": 0}

    def next(self, what: str) -> str:
        self._counts[what] += 1
        return say(what, number=self._counts[what])


def _block(block: Block, numbers: _Numbers) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"kind": "text", "text": known(block.text), "status": _status(block.status)}
    if isinstance(block, Heading):
        return {"kind": "heading", "text": known(block.text)}
    if isinstance(block, Needed):
        return {"kind": "needed", "text": known(block.said)}
    if isinstance(block, Figure):
        caption = f"{numbers.next('Figure {number}')}. {known(block.title)}"
        # The words of a picture are drawn with the one font that the document has.
        drawn = svg.render(block, font=FONT, known=known)
        return {"kind": "figure", "svg": drawn, "alt": known(block.alternative), "caption": caption,
                "status": _status(block.status)}  # fmt: skip
    return _table(block, numbers)


def _table(block: Table, numbers: _Numbers) -> dict[str, Any]:
    # Every table has cells that head its columns: without them a reader that speaks cannot say what a cell is.
    headings = block.headings or heads("what", "value")
    empty = (say("none"), *("",) * (len(block.shares) - 1))
    return {
        "kind": "table",
        "headings": [known(one) for one in headings],
        "rows": [
            [_breakable(known(cell), share) for cell, share in zip(row, block.shares, strict=True)]
            for row in block.rows or (empty,)
        ],
        "shares": [round(share, 4) for share in block.shares],
        "caption": f"{numbers.next('Table {number}')}. {known(block.caption)}" if block.caption else "",
        "status": _status(block.status),
    }


def _breakable(cell: str, share: float) -> str:
    """Return a cell's text with places to break in words that its column does not hold: times, paths, hashes."""
    longest = int(share * _LETTERS)
    return " ".join(
        word if len(word) <= longest else _PIECE.sub("\\g<0>\u200b", word).removesuffix("\u200b")
        for word in cell.split(" ")
    )


def _status(status: Status) -> Mapping[str, str]:
    return {"name": str(status), "shown": status.shown}


@cache
def _glyphs() -> frozenset[str]:
    return frozenset(chr(code) for first, last in _RANGES for code in range(first, last + 1))


def known(text: str) -> str:
    """Return text on one line with what the font lacks spelled out."""
    glyphs = _glyphs()
    return "".join(char if char in glyphs else f"[U+{ord(char):04X}]" for char in visible(normalize("NFC", text)))
