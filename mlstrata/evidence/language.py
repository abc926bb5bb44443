"""The language of a dossier: its fixed sentences are data, English beside each other language.

The code says a sentence in English, `say("{count} rows", count=3)`, and `texts/LANGUAGE.yaml` has what it is in another
language, under the English one. What people wrote, and what other programs said, is never translated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path

import yaml


class Language(StrEnum):
    """Axis: the language in which a dossier's fixed sentences, numbers and days are written."""

    ENGLISH = "en"
    GERMAN = "de"


TEXTS = Path(__file__).parent / "texts"
_POINT_AND_COMMA = str.maketrans(".,", ",.")
_SPOKEN: ContextVar[Language] = ContextVar("spoken", default=Language.ENGLISH)


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Say everything in a language, in this thread, until the block ends."""
    before = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(before)


def spoken() -> Language:
    """Return the language that is spoken now."""
    return _SPOKEN.get()


def say(text: str, **values: object) -> str:
    """Return a fixed sentence in the language that is spoken.

    Args:
        text: The sentence in English, with the names of values in braces; one that the catalogue lacks is returned as
            it is, so that a key of a file or the name of a metric may be said, too.
        values: What stands for the names; never translated.
    """
    found = catalogue(spoken()).get(text, text)
    return found.format(**values) if values else found


def heads(*texts: str) -> tuple[str, ...]:
    """Return the headings of a table's columns in the language that is spoken."""
    return tuple(say(text) for text in texts)


def number(value: float, form: str = "g") -> str:
    """Return a number in a form of `format`, with the marks of the language that is spoken."""
    shown = format(value, form)
    if spoken() is Language.GERMAN:
        # DIN 5008: a space that does not break stands before the sign.
        return shown.translate(_POINT_AND_COMMA).replace("%", "\u00a0%")
    return shown


def span(low: float | None, high: float | None, form: str = "g") -> str:
    """Return an interval by its ends, each in a form of `format`; a dash where one was not measured."""
    if low is None or high is None:
        return "-"
    return say("{low} to {high}", low=number(low, form), high=number(high, form))


def day(value: date) -> str:
    """Return a day as the language that is spoken writes it."""
    return value.strftime("%d.%m.%Y") if spoken() is Language.GERMAN else value.isoformat()


def first_upper(text: str) -> str:
    """Return a text with its first letter as it begins a sentence; the others stay."""
    return text[:1].upper() + text[1:]


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """Return each English text with what it is in a language; none for English itself."""
    if language is Language.ENGLISH:
        return {}
    return dict(yaml.safe_load((TEXTS / f"{language}.yaml").read_text(encoding="utf-8")))
