"""What a document says about itself, read from its text; it is never judged by its meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from mlstrata.policies.core.facts import Document

LARGEST = 4 << 20
_WAITING = re.compile(
    r"^\W*((tbd|tba|tbc|todo|fixme)\b.*|n/?a|none|x+|to be (added|confirmed|decided|defined|determined|done|written)"
    r"|work in progress|wip|coming soon|placeholder|lorem ipsum.*)?\W*$",
    re.IGNORECASE,
)
"""A line that says nothing yet."""
_REVIEWED = re.compile(r"^\W*(?:last )?reviewed\W*:\W*(\d{4}-\d{2}-\d{2})", re.IGNORECASE | re.MULTILINE)
_NOTIFIED = re.compile(r"^\W*notified\W*:\W*(\d{4}-\d{2}-\d{2})", re.IGNORECASE | re.MULTILINE)
_VERSION = re.compile(r"^\W*model[ _-]version\W*:\W*(?:v(?=\d))?([\w.-]+)", re.IGNORECASE | re.MULTILINE)
_SECTION = re.compile(r"^#{1,3}\s+(?:section\s+)?([1-9])(?:[.:)\s]|$).*$", re.IGNORECASE | re.MULTILINE)


def read(paths: Iterable[str], root: Path) -> dict[str, Document]:
    """Return what is known of each document.

    Args:
        paths: Where they are, as the systems that name them say.
        root: The folder that paths start from.
    """
    return {path: _looked_up(path, root) for path in paths}


def _looked_up(path: str, root: Path) -> Document:
    if "://" in path:
        return Document()
    file = root / path
    try:
        with file.open("rb") as stream:
            text = stream.read(LARGEST).decode("utf-8", errors="replace")
    except OSError:
        return Document(exists=False)
    return Document(
        exists=True,
        reviewed=_day(_REVIEWED, text),
        notified=_day(_NOTIFIED, text),
        sections=_sections(text),
        model_version=_first(_VERSION, text),
    )


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _day(pattern: re.Pattern[str], text: str) -> date | None:
    try:
        return date.fromisoformat(_first(pattern, text))
    except ValueError:
        return None


def _sections(text: str) -> frozenset[int]:
    """Return the numbers of the sections with text; one in which a person is still to write has none."""
    found = list(_SECTION.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)] * bool(found)
    return frozenset(
        int(match[1]) for match, end in zip(found, ends, strict=True) if _says_something(text[match.end() : end])
    )


def _says_something(body: str) -> bool:
    lines = body.splitlines()
    return "human input required" not in body.lower() and not all(map(_WAITING.match, lines))
