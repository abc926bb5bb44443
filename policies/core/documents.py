"""What a document says about itself, read from its text; it is never judged by its meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from mlstrata.policies.core import papers
from mlstrata.policies.core.facts import Document

LARGEST = 4 << 20
_NO_TEXT = ("%PDF-", "PK\x03\x04", "{\\rtf")
"""How files begin that keep a text otherwise than as text: PDF, Word and OpenDocument, RTF."""
_WAITING = re.compile(
    r"^\W*((tbd|tba|tbc|todo|fixme)\b.*|n/?a|none|x+|[^\W\d]"
    r"|to be (added|confirmed|decided|defined|determined|done|written)"
    r"|work in progress|wip|coming soon|placeholder|lorem ipsum.*)?\W*$",
    re.IGNORECASE,
)
"""A line that says nothing yet."""
_UNFINISHED = re.compile(
    r"\b(?:tbd|tba|tbc|todo|fixme|lorem ipsum|human input required|work in progress|coming soon|noch offen|folgt noch"
    r"|wird noch (?:ergänzt|erstellt|geschrieben|nachgereicht)|noch zu (?:ergänzen|erstellen|klären|schreiben)"
    r"|à compléter|à rédiger|por (?:completar|definir)|da (?:completare|definire)"
    r"|to be (?:added|completed|confirmed|decided|defined|determined|done|filled in|written))\b"
    r"|\[(?:insert|fill|your|add|name)\b[^\]\n]*\]",
    re.IGNORECASE,
)
"""A phrase of what is still to be written, wherever it stands."""
_MARKS = " \t#>*_|-"
"""What may stand before the first word of a line."""
_LINES = re.IGNORECASE | re.MULTILINE
_ON = r"(?: am)?\W*:\W*(\d{4}-\d{2}-\d{2})"
# A document's own particulars are read in English and in German, the languages of a dossier.
_REVIEWED = re.compile(rf"^\W*(?:(?:last )?reviewed|(?:zuletzt )?(?:über|ge)prüft){_ON}", _LINES)
_NOTIFIED = re.compile(rf"^\W*(?:notified|gemeldet|mitgeteilt){_ON}", _LINES)
_DATED = re.compile(
    rf"^\W*(?:date|datum|signed on|approved on|(?:unterzeichnet|unterschrieben|genehmigt)(?= am)){_ON}", _LINES
)
_SIGNED = re.compile(
    r"^\W*(?:signed|approved|unterzeichnet|unterschrieben|genehmigt)(?: by| von| durch)?[ \t*_]*:[ \t*_]*[^\W\d_]{2,}",
    _LINES,
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_NEEDED = "human input required"
_FEWEST = 3
"""Different words of a section of Annex IV that says something; `none, as …` is one."""
_VERSION = re.compile(r"^\W*modell?[ _-]?version\W*:\W*(?:v(?=\d))?([\w.-]+)", re.IGNORECASE | re.MULTILINE)
_FACT = re.compile(
    r"^\W*(?:(?:last )?reviewed|notified|modell?[ _-]?version|version|date|author|owner|title|status"
    r"|(?:zuletzt )?(?:über|ge)prüft(?: am)?|gemeldet(?: am)?|mitgeteilt(?: am)?|datum|autor(?:in)?|titel"
    r"|(?:signed|approved|unterzeichnet|unterschrieben|genehmigt)(?: by| on| von| durch| am)?)\W*:.*$",
    re.IGNORECASE | re.MULTILINE,
)
"""A line of a document's own particulars, which says nothing of its subject."""
_HEADING = re.compile(r"^(?:#{1,6}\s.*|.*\n[=-]{3,}\s*)$", re.MULTILINE)
_FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1[`~]*\s*$|\Z)|<!--.*?(?:-->|\Z)", re.MULTILINE | re.DOTALL)
"""A block of code, or a comment: neither is text, whatever headings and dates it holds."""
_SECTION = re.compile(r"^#{1,3}\s+(?:(?:section|abschnitt)\s+)?([1-9])(?:[.:)\s]|$).*$", _LINES)


def read(paths: Iterable[str], root: Path) -> dict[str, Document]:
    """Return what is known of each document; nothing of one whose text cannot be read here.

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
        if not file.is_file():
            return Document(exists=False)
        with file.open("rb") as stream:
            text = plain_text(stream.read(LARGEST).decode("utf-8").replace("\r\n", "\n"))
    except (OSError, UnicodeDecodeError):
        return Document()  # it is there, and no text that can be read
    if "\0" in text or text.startswith(_NO_TEXT):
        return Document()
    told = _FACT.sub("", text)
    said = _HEADING.sub("", told)
    return Document(
        exists=True,
        empty=not _says_something(said),
        lacks=papers.unmet(_finished(told)),
        reviewed=_day(_REVIEWED, text),
        dated=_day(_DATED, text),
        signed=bool(_SIGNED.search(text)),
        notified=_day(_NOTIFIED, text),
        sections=_sections(text),
        model_version=_first(_VERSION, text),
    )


def plain_text(text: str) -> str:
    """Return a text without its blocks of code and comments, which say nothing of its subject."""
    return _FENCED.sub("", text)


def words(text: str) -> frozenset[str]:
    """Return the different words of a text, in small letters; a single letter is none."""
    return frozenset(word.casefold() for word in _WORD.findall(text))


def waiting(text: str) -> str:
    """Return the phrase by which a text is not finished; empty where there is none."""
    if found := _UNFINISHED.search(text):
        return found[0]
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0].strip() if lines and all(map(_WAITING.match, lines)) else ""


def later(document: Document, today: date) -> date | None:
    """Return a day to come that a document says something was done on; None where it says none."""
    said = (document.reviewed, document.dated, document.notified)
    return next((day for day in said if day is not None and day > today), None)


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
        int(match[1])
        for match, end in zip(found, ends, strict=True)
        if _NEEDED not in (body := text[match.end() : end]).lower()
        and _says_something(body)
        and len(words(_HEADING.sub("", body))) >= _FEWEST
    )


def _finished(text: str) -> str:
    """Return a text without the lines in which something is still to be written."""
    return "\n".join(line for line in text.splitlines() if not _UNFINISHED.search(line) and _NEEDED not in line.lower())


def _says_something(body: str) -> bool:
    return not all(_WAITING.match(line) or _UNFINISHED.match(line.lstrip(_MARKS)) for line in body.splitlines())
