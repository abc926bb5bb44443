"""What a document is made of, before it is HTML or PDF."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
HUMAN = "human input required"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Needed:
    """Something that is not there.

    Attributes:
        what: What is missing.
        human: A person must write it; else a fact that could not be read or does not exist yet.
    """

    what: str
    human: bool = True

    @property
    def said(self) -> str:
        """Return it in words."""
        return f"[{HUMAN}: {self.what}]" if self.human else f"[not available: {self.what}]"


@dataclass(frozen=True)
class Bar:
    """One bar of a plot; the interval is (low, high) in the value's own unit."""

    label: str
    value: float
    interval: tuple[float, float] | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Figure:
    """A plot of bars from 0 to 1, or to the largest of them.

    Attributes:
        name: Name of its file, without the ending.
        title: What it shows; also the text in its place for who cannot see it.
        bars: The bars.
    """

    name: str
    title: str
    bars: tuple[Bar, ...]


Block = Text | Table | Needed | Figure


@dataclass(frozen=True)
class Section:
    """A headed part of a document."""

    title: str
    blocks: tuple[Block, ...]

    @property
    def missing(self) -> tuple[Needed, ...]:
        """Return what it lacks."""
        return tuple(block for block in self.blocks if isinstance(block, Needed))


@dataclass(frozen=True)
class Document:
    """A document: its file's name without ending, its title, a line beneath it, and its sections."""

    name: str
    title: str
    subtitle: str
    sections: tuple[Section, ...]

    @property
    def complete(self) -> bool:
        """Return whether nothing is missing."""
        return not any(section.missing for section in self.sections)

    @property
    def shown_title(self) -> str:
        """Return the title, which says so where the document is not complete."""
        return self.title if self.complete else f"DRAFT - incomplete: {self.title}"


def plain(value: object) -> str:
    """Return a value as one line of text: what cannot be seen, and what turns the direction, is spelled out."""
    if value is None or value in ("", (), [], {}):
        return "none declared"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return "; ".join(f"{plain(key)}: {plain(inner)}" for key, inner in sorted(value.items(), key=str))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(plain(inner) for inner in value)
    flat = str(value).replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    return "".join(f"[U+{ord(c):04X}]" if unicodedata.category(c) in _HIDDEN else c for c in flat)


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table of values as text."""
    return Table(tuple(headings), tuple(tuple(plain(cell) for cell in row) for row in rows))
