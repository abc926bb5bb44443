"""What a document is made of, before it is HTML or PDF."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mlstrata.evidence.drawing import Drawing
from mlstrata.evidence.language import number, say

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
HUMAN = "human input required"


class Status(StrEnum):
    """Axis: how far what is said is a fact; every sentence, table and plot of a dossier is marked with it.

    DECLARED is what the environment's file wants or a named person says, PLANNED what is in the resources that the
    program makes, OBSERVED what was read from the registry, the audit log or the running platform. A NOTE is about the
    document itself or quotes the Act.
    """

    DECLARED = "declared"
    PLANNED = "planned"
    OBSERVED = "observed"
    NOTE = "note"

    @property
    def shown(self) -> str:
        """Return it in the language that is spoken."""
        return say(self.value)


@dataclass(frozen=True)
class Text:
    """A paragraph, and how far it is a fact."""

    text: str
    status: Status


@dataclass(frozen=True)
class Heading:
    """The heading of a point within a section, such as 2(d)."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings.

    Attributes:
        headings: Of the columns; none for a table of names and values.
        rows: As many cells each.
        status: How far it is a fact.
        caption: What it shows, and where that comes from.
        widths: Shares of the width, a column each; empty: all the same.
        files: The column that names files of the dossier, with commas between them; None: there is no such column.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    status: Status
    caption: str = ""
    widths: tuple[float, ...] = ()
    files: int | None = None

    @property
    def shares(self) -> tuple[float, ...]:
        """Return the share of each column, all together 1."""
        columns = len(self.headings) or max((len(row) for row in self.rows), default=1)
        widths = self.widths or (1.0,) * columns
        return tuple(width / sum(widths) for width in widths)


@dataclass(frozen=True)
class Needed:
    """Something that is not there.

    Attributes:
        what: What is missing.
        human: A person must write it; else a fact that could not be read or does not exist yet.
        question: Id of the question that it answers; empty where a file of the workspace has to be named or mended.
    """

    what: str
    human: bool = True
    question: str = ""

    @property
    def kind(self) -> str:
        """Return who can mend it."""
        return say(HUMAN) if self.human else say("not available")

    @property
    def said(self) -> str:
        """Return it in words."""
        return f"[{self.kind}: {self.asked}]"

    @property
    def asked(self) -> str:
        """Return what is missing, with the id of the question."""
        return f"{self.what} ({self.question})" if self.question else self.what


@dataclass(frozen=True)
class Figure:
    """A plot or a picture.

    Attributes:
        name: Name of its file, without the ending.
        title: What it shows, and where that comes from.
        drawing: The plot.
        status: How far it is a fact.
        told: The text in its place for who cannot see it; empty: the title.
    """

    name: str
    title: str
    drawing: Drawing
    status: Status = Status.OBSERVED
    told: str = ""

    @property
    def alternative(self) -> str:
        """Return the text in its place."""
        return self.told or self.title


Block = Text | Heading | Table | Needed | Figure


@dataclass(frozen=True)
class Section:
    """A headed part of a document."""

    title: str
    blocks: tuple[Block, ...]

    @property
    def missing(self) -> tuple[Needed, ...]:
        """Return what it lacks."""
        return tuple(block for block in self.blocks if isinstance(block, Needed))

    def points(self) -> Iterator[tuple[str, tuple[Block, ...]]]:
        """Yield each headed point with its blocks; what stands before the first has no heading."""
        title, blocks = "", list[Block]()
        for block in self.blocks:
            if isinstance(block, Heading):
                if title or blocks:
                    yield title, tuple(blocks)
                title, blocks = block.text, []
            else:
                blocks.append(block)
        if title or blocks:
            yield title, tuple(blocks)


@dataclass(frozen=True)
class Document:
    """A document.

    Attributes:
        name: Its file's name without ending.
        title: Its title.
        subtitle: The line beneath it.
        sections: Its sections.
        control: What identifies it: names and values of the first page.
        of: The documents that it sums up: it lacks what they lack, and is too short for a table of contents.
    """

    name: str
    title: str
    subtitle: str
    sections: tuple[Section, ...]
    control: tuple[tuple[str, str], ...] = ()
    of: tuple[Document, ...] = ()

    @property
    def missing(self) -> tuple[Needed, ...]:
        """Return what it lacks."""
        own = tuple(need for section in self.sections for need in section.missing)
        return own + tuple(need for one in self.of for need in one.missing)

    @property
    def has_contents(self) -> bool:
        """Return whether a table of contents helps: a page or two need none."""
        return len(self.sections) > 2 and not self.of  # noqa: PLR2004 - said above

    @property
    def complete(self) -> bool:
        """Return whether nothing is missing."""
        return not self.missing

    @property
    def shown_title(self) -> str:
        """Return the title, which says so where the document is not complete."""
        return self.title if self.complete else say("DRAFT - incomplete: {title}", title=self.title)

    @property
    def state(self) -> str:
        """Return in a sentence what it lacks."""
        people = sum(need.human for need in self.missing)
        facts = len(self.missing) - people
        if not self.missing:
            whole = say("the documents") if self.of else say("this document")
            return say("Every question of {whole} is answered. Whether that is adequate, a person judges.", whole=whole)
        return say(
            "Draft, incomplete: {people} places need a person, {facts} could not be read or do not exist; "
            "each is marked.",
            people=people,
            facts=facts,
        )

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return its plots."""
        return tuple(block for section in self.sections for block in section.blocks if isinstance(block, Figure))


def visible(text: str) -> str:
    """Return a text on one line in which what cannot be seen, and what turns the direction, is spelled out."""
    flat = text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    return "".join(f"[U+{ord(c):04X}]" if unicodedata.category(c) in _HIDDEN else c for c in flat)


def plain(value: object) -> str:
    """Return a value as one line of text."""
    if value is None or value in ("", (), [], {}):
        return say("none declared")
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, float):
        return number(value, ".6g")
    if isinstance(value, Mapping):
        return ", ".join(f"{say(plain(key).replace('_', ' '))} {_nested(inner)}" for key, inner in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(plain(inner) for inner in value)
    return visible(str(value))


def _nested(value: object) -> str:
    return f"({plain(value)})" if isinstance(value, Mapping) and value else plain(value)


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    status: Status,
    caption: str = "",
    widths: Sequence[float] = (),
) -> Table:
    """Return a table of values as text."""
    cells = tuple(tuple(plain(cell) for cell in row) for row in rows)
    return Table(tuple(headings), cells, status, caption, tuple(widths))


def facts(rows: Sequence[tuple[str, object]], status: Status, caption: str = "") -> Table:
    """Return a table of names and values."""
    return table((), rows, status, caption, (0.3, 0.7))
