"""What a purpose reads like, by words of the Act in the official languages of the Union.

Words advise: they ask for a missing answer, or doubt a given one; neither a tier nor whether a deployment
is blocked hangs on them. `purposes.yaml` beside this file is the table, and says how it is written.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

_WORD = re.compile(r"[^\W_]+")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Topic:
    """What a purpose may read like.

    Attributes:
        question: The answer under `risk` that it is about.
        value: The answer that the words suggest.
        name: Article or point, in words.
        phrases: What says it: concepts that must all be there, a tuple each.
        guards: Concepts that say that it is something else.
    """

    question: str
    value: str
    name: str
    phrases: tuple[tuple[str, ...], ...]
    guards: tuple[str, ...] = ()

    @property
    def area(self) -> str:
        """Return the area of Annex III, its number; the whole value of another question."""
        return self.value[:1] if self.question == "annex_iii" else self.value


@dataclass(frozen=True)
class _Concept:
    """Words that say one thing, without accents.

    Attributes:
        starts: Beginnings of words.
        words: Whole words.
        inside: Parts of words.
        rows: Beginnings of words that follow each other.
    """

    starts: tuple[str, ...]
    words: frozenset[str]
    inside: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def said(self, words: tuple[str, ...], text: str) -> bool:
        return (
            not self.words.isdisjoint(words)
            or any(word.startswith(self.starts) for word in words)
            or any(part in text for part in self.inside)
            or any(_follows(row, words) for row in self.rows if row[0] in text)
        )


def _follows(row: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return any(
        all(word.startswith(start) for word, start in zip(words[at:], row, strict=False))
        for at in range(len(words) - len(row) + 1)
    )


@lru_cache(maxsize=256)
def topics_of(purpose: str) -> tuple[Topic, ...]:
    """Return what a purpose reads like, in the order of the table."""
    concepts, topics = _table()
    words = _words(purpose)
    text = " ".join(words)
    said = {name for name, concept in concepts.items() if concept.said(words, text)}
    return tuple(one for one in topics if said.isdisjoint(one.guards) and any(map(said.issuperset, one.phrases)))


def _words(text: str) -> tuple[str, ...]:
    """Return the words of a text in small letters without accents."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    return tuple(_WORD.findall("".join(one for one in bare if not unicodedata.combining(one))))


@cache
def _table() -> tuple[dict[str, _Concept], tuple[Topic, ...]]:
    text = Path(__file__).with_name("purposes.yaml").read_text(encoding="utf-8")
    read = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    concepts = {name: _concept(stems.split()) for name, stems in read["concepts"].items()}
    return concepts, tuple(_topic(**given) for given in read["topics"])


def _topic(question: str, value: str, name: str, phrases: list[str], guards: list[str] | None = None) -> Topic:
    return Topic(question, value, name, tuple(tuple(one.split()) for one in phrases), tuple(guards or ()))


def _concept(stems: list[str]) -> _Concept:
    rows = [(stem, _words(stem.replace("_", " "))) for stem in stems]
    single = [(stem, row[0]) for stem, row in rows if len(row) == 1]
    return _Concept(
        starts=tuple(one for stem, one in single if not stem.startswith("~") and not stem.endswith("$")),
        words=frozenset(one for stem, one in single if stem.endswith("$")),
        inside=tuple(one for stem, one in single if stem.startswith("~")),
        rows=tuple(row for _, row in rows if len(row) > 1),
    )
