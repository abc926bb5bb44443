"""What a paper of each kind must speak of: the points that the law asks of it, from `papers.yaml`.

Whether a paper is right is never judged. A point is met by a sentence with a word of it, or by text beneath a heading
that has such a word or the point's letter; a paper of two words meets none, whatever they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unicodedata import normalize

import yaml

FEWEST = 5
"""Different words that a sentence, or the text beneath a heading, has at least where it says something of a point."""
_WORDS_A_POINT = 3
"""Different words that a paragraph has at least for each point that it speaks of."""
_LONGEST = 200_000
"""Characters within which a paper comes to its points."""
_MOST_POINTS = 2
"""Points that one heading stands for; a title that names all of them stands for none."""
_HEADING = re.compile(r"^(#{1,6})[ \t]+(.*)$|^(\S.*)\n([=-]{3,})[ \t]*$", re.MULTILINE)
_LETTER = re.compile(r"^\W*([a-h])[).:]|\(([a-h])\)", re.IGNORECASE)
_UNIT = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*+]|\d+[.)])\s)")
"""Where a sentence cannot go on: an empty line, or the next entry of a list."""
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class Point:
    """What a paper must speak of.

    Attributes:
        kind: Key of the paper in `documents`, or `memo`.
        letter: Letter of the point; the law's own where it has one.
        says: What the paper must say, the object of "does not say".
        of: What asks that.
    """

    kind: str
    letter: str
    says: str
    of: str

    @property
    def id(self) -> str:
        """Return its name among the points of all papers."""
        return f"{self.kind}.{self.letter}"

    def __str__(self) -> str:
        return f"({self.letter}) {self.says} ({self.of})"


@cache
def _table() -> tuple[tuple[Point, re.Pattern[str]], ...]:
    given = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return tuple(
        (Point(kind, letter, one["says"], one["of"]), re.compile(one["words"], re.IGNORECASE))
        for kind, points in given.items()
        for letter, one in points.items()
    )


def kinds() -> tuple[str, ...]:
    """Return the kinds of papers that must speak of something, in the order of the table."""
    return tuple(dict.fromkeys(point.kind for point, _ in _table()))


def points(kind: str) -> tuple[Point, ...]:
    """Return what a paper of a kind must speak of; nothing for a kind that is judged otherwise."""
    return tuple(point for point, _ in _table() if point.kind == kind)


def missing(kind: str, lacks: frozenset[str]) -> tuple[Point, ...]:
    """Return the points of a kind that a text does not speak of.

    Args:
        kind: Key of the paper.
        lacks: What `unmet` says of the text.
    """
    return tuple(point for point in points(kind) if point.id in lacks)


def unmet(text: str) -> frozenset[str]:
    """Return the points, of papers of every kind, that a text does not speak of.

    Args:
        text: What it says, without blocks of code, comments and lines of its own particulars.
    """
    text = normalize("NFC", text[:_LONGEST])
    met = {one.id for unit in _UNIT.split(_HEADING.sub("\n\n", text)) for one in _met_by(unit)}
    titles = [title for title, body in _parts(text) if _says(body)]
    return frozenset(point.id for point, _ in _table() if point.id not in met and not _titled(point, titles))


def _met_by(unit: str) -> Iterator[Point]:
    """Yield the points that a sentence, or a paragraph, speaks of; a row of words that name them all speaks of none."""
    said = _words(unit)
    if len(said) < FEWEST:
        return
    found: dict[str, list[Point]] = {}
    for point, word in _table():
        if word.search(unit):
            found.setdefault(point.kind, []).append(point)
    for points_of_kind in found.values():
        if len(said) >= _WORDS_A_POINT * len(points_of_kind):
            yield from points_of_kind


def _titled(point: Point, titles: list[str]) -> bool:
    own = {other.letter: word for other, word in _table() if other.kind == point.kind}
    for title in titles:
        if lettered := _LETTER.search(title):
            if (lettered[1] or lettered[2]).lower() == point.letter:
                return True
        elif own[point.letter].search(title) and sum(bool(word.search(title)) for word in own.values()) <= _MOST_POINTS:
            return True
    return False


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield each heading with the text beneath it, as far as the next one of its level or above, without headings."""
    found = list(_HEADING.finditer(text))
    levels = [len(one[1]) if one[1] else 1 + one[4].startswith("-") for one in found]
    for at, one in enumerate(found):
        ends = (
            other.start() for other, level in zip(found[at + 1 :], levels[at + 1 :], strict=True) if level <= levels[at]
        )
        yield one[2] or one[3] or "", _HEADING.sub("\n", text[one.end() : next(ends, len(text))])


def _says(text: str) -> bool:
    return len(_words(text)) >= FEWEST


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}
