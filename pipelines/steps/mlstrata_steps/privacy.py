"""A gate before training: is there personal data that nobody declared, and does the model see what it must not?

A declared column may hold personal data; one that holds a special category (GDPR Art. 9) may be there too, to measure
fairness by, and is never a model's input. A value that was found is never shown, only its shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlstrata_steps.columns import Columns
from mlstrata_steps.identifiers import KINDS, masked
from mlstrata_steps.names import no_column
from mlstrata_steps.notation import looks_like
from mlstrata_steps.outcome import Check, StepError, report_of
from mlstrata_steps.rules import parsed
from mlstrata_steps.tables import kind_of, read_table

if TYPE_CHECKING:
    import pandas as pd

MANY = 20
"""Distinct values from which a column of texts can be a column of names."""

_OF = r"(first|last|middle|given|family|full|maiden|sur|customer|applicant|person)"
_NUMBER = r"(_?(number|no))?"
_HINTS = {
    "person's name": rf"{_OF}?_?names?|surname|forename|vorname|nachname",
    "e-mail address": r"e_?mail(_?address)?",
    "phone number": rf"((tele)?phone|mobile|cell_?phone){_NUMBER}",
    "date of birth": r"dob|birth_?(date|day)|date_?of_?birth|geburtsdatum",
    "postal address": r"(street|postal|home|mailing)_?address|street(_?name)?|address(_?line)?",
    "national id": rf"(ssn|social_?security|passport){_NUMBER}|(tax|steuer|national)_?id|personnummer|bsn|pesel",
    "IBAN": r"iban",
    "payment card number": r"(credit_?)?card_?(number|no)",
    "IP address": r"ip_?addr(ess)?|client_?ip|remote_?ip",
}
HINTS: Mapping[str, re.Pattern[str]] = {kind: re.compile(pattern) for kind, pattern in _HINTS.items()}
"""What a column's own name says it holds."""

GIVEN = frozenset(
    """
    adam ahmed aisha alex alexander ali alice amir amy ana andrea andreas andrew angela anita ann anna anne
    antonio barbara ben bernd brian carla carlos carmen carol catherine charles chen chiara chris christian
    christine claire clara claudia dan daniel david deborah dennis diana dmitri dorothy edward elena elizabeth
    emily emma eric erik eva fatima felix fiona francesca francesco frank frida gabriel george giovanni giulia
    grace greta hannah hans hassan heather heinz helen helga henry ian ibrahim ines ingrid irina isabel ivan
    jack jacob james jan jane javier jean jennifer jessica jim joan joao johan johannes john jonas jose joseph
    juan julia julie jürgen kai karen karin karl kate katharina kathleen katja kevin klaus laura lena leon li
    lina linda lisa liz louis lucas lucia luis luisa lukas luke maja marc marcel marco margaret maria marie
    mario mark marta martha martin mary matteo matthew max maximilian mehmet mei mia michael miguel mohamed
    mohammed monica monika natalia nicholas nicole nina noah nora olga oliver olivia omar oscar otto pablo
    pamela patricia patrick paul paula pedro peter petra philip pierre priya rachel rahul raj ralf raphael
    rebecca renate richard rita robert rosa ruth ryan sabine sam samuel sandra sara sarah sebastian sergei
    silvia simon sofia sonja sophie stefan stefanie stephen steven susan susanne sven tanja tatiana teresa
    thomas tim tobias tom ursula ute valentina vera victor vincent walter wang wei werner william wolfgang xin
    yan yusuf zoe
    """.split()  # noqa: SIM905 - a list of its own would be a line a name
)
"""Given names common in several countries: that some of a column's values start with one tells names from places."""

_NAME = re.compile(r"[^\W\d_a-zß-ÿ][^\W\d_]*\.?(?:[ '-]+[^\W\d_][^\W\d_]*\.?){0,3}")


@dataclass(frozen=True)
class PrivacyRules:
    """Limits of the scan for personal data; shares are between 0 and 1.

    Attributes:
        allow: Columns that look personal and are not, such as a shop's public phone number: found and shown only.
        free_text_words: Mean number of words from which texts that differ count as free text.
        distinct: Share of values that differ from which texts count as free text or as identifiers of rows.
        enforce: False: findings are shown and stop nothing.
    """

    allow: tuple[str, ...] = ()
    free_text_words: float = 4.0
    distinct: float = 0.5
    enforce: bool = True

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> PrivacyRules:
        """Read rules from plain JSON values.

        Raises:
            StepError: A rule is unknown or of the wrong type.
        """
        return parsed(cls, "privacy", document)


@dataclass(frozen=True)
class Finding:
    """Personal data in a column.

    Attributes:
        kind: What it is.
        rows: How many rows hold it.
        share: Their share among all rows, 0 to 1.
        example: The shape of one value.
    """

    kind: str
    rows: int
    share: float
    example: str

    def __str__(self) -> str:
        shape = f", such as {self.example}" if self.example else ""
        return f"{self.kind} in {self.rows} rows ({self.share:.1%}){shape}"


def scan(column: pd.Series[object], rules: PrivacyRules | None = None) -> Finding | None:
    """Look for personal data in one column, by its values and then by its name.

    Args:
        column: Of a canonical table.
        rules: Limits for texts; None takes the defaults.

    Returns:
        The first kind that fits; None where nothing does.
    """
    limits = rules or PrivacyRules()
    kind, known = kind_of(column), column.dropna()
    if kind in {"integer", "string"} and len(known):
        counted = {str(value): int(rows) for value, rows in known.value_counts().items()}
        for looked in KINDS:
            hits = {text: rows for text, rows in counted.items() if looked.found_in(text)}
            rows = sum(hits.values())
            if hits and rows / len(known) > looked.least and rows > looked.chance * looked.candidates(counted):
                return Finding(looked.name, rows, rows / len(column), masked(min(hits)))
        # What looks like numbers or dates in another notation identifies nobody; `quality` names it.
        if kind == "string" and not looks_like(counted) and (found := _texts(counted, len(known), len(column), limits)):
            return found
    hint = _hint(str(column.name))
    if hint and column.nunique() > MANY:
        return Finding(f"{hint} (its name says so)", len(known), len(known) / len(column), masked(str(known.min())))
    return None


def check_privacy(
    path: str, columns: Mapping[str, object], declared: Mapping[str, object], rules: Mapping[str, object]
) -> dict[str, object]:
    """Scan every column of a snapshot.

    Args:
        path: A table that `ingest` wrote.
        columns: The roles of the columns (`Columns`).
        declared: `personal`: columns declared to hold personal data; `special`: column to its special category.
        rules: The limits (`PrivacyRules`).

    Returns:
        A gate's report (`outcome.report_of`) with `found`: column to kind, rows, share and declared.

    Raises:
        StepError: A role or rule is malformed.
    """
    table, roles, limits = read_table(path), Columns.parse(columns), PrivacyRules.parse(rules)
    personal, special = _declared(declared)
    warns = not limits.enforce
    checks: list[Check] = []
    found: dict[str, dict[str, object]] = {}
    for name in table.columns:
        # Who is on an image, no pattern of characters says: it is for the dataset's declaration to.
        finding = None if name in roles.images else scan(table[name], limits)
        if finding is None:
            continue
        known = name in personal or name in special or name in limits.allow
        found[name] = {**vars(finding), "declared": known}
        if not known:
            fix = "drop it, or declare it in the dataset's personal columns"
            checks.append(Check(f"column {name}", False, f"undeclared {finding}; {fix}", warns=warns))
    seen = roles.seen(list(table.columns))
    for name in sorted(set(seen) & set(special)):
        detail = f"holds {special[name]}, a special category, and the model sees it; put it into model.protected"
        checks.append(Check(f"column {name}", False, detail, warns=warns))
    named = {"personal columns": sorted(personal), "special_fields": sorted(special), "privacy.allow": limits.allow}
    # A name that matches nothing protects nothing.
    unmatched = [
        Check(f"{where} {name}", False, no_column(name, list(table.columns)), warns=warns)
        for where, names in named.items()
        for name in names
        if name not in table.columns
    ]
    checks = unmatched + checks
    undeclared = sum(not finding["declared"] for finding in found.values())
    kept = len(personal | set(special))
    headline = f"{len(table.columns)} columns scanned, {undeclared} with undeclared personal data, {kept} declared"
    checks.insert(0, Check("personal data", undeclared == 0, headline, warns))
    counted = {"personal_undeclared": float(undeclared), "personal_found": float(len(found))}
    return report_of(checks, counted, headline=headline, found=found)


def _texts(counted: Mapping[str, int], known: int, rows: int, limits: PrivacyRules) -> Finding | None:
    """Tell names, free text and identifiers of rows from the texts of a category."""
    named = {text: number for text, number in counted.items() if _NAME.fullmatch(text)}
    people = {text: number for text, number in named.items() if re.split(r"[ '-]", text)[0].lower() in GIVEN}
    share = sum(named.values()) / known
    # A list of given names is short: where texts look like names, a tenth that start with one is enough.
    if len(named) >= MANY and share >= 0.5 and sum(people.values()) / known >= 0.1:  # noqa: PLR2004 - half; a tenth
        return Finding("person's name", sum(named.values()), sum(named.values()) / rows, masked(min(people)))
    if len(counted) < max(MANY, limits.distinct * known):
        return None
    words = sum(len(text.split()) * number for text, number in counted.items()) / known
    kind = "free text" if words >= limits.free_text_words else "identifier"
    return Finding(kind, known, known / rows, masked(min(counted)))


def _hint(name: str) -> str | None:
    plain = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")
    return next((kind for kind, pattern in HINTS.items() if pattern.fullmatch(plain)), None)


def _declared(document: Mapping[str, object]) -> tuple[set[str], dict[str, str]]:
    personal, special = document.get("personal") or (), document.get("special") or {}
    if not isinstance(personal, list | tuple) or not isinstance(special, Mapping):
        raise StepError("declared: personal must be a list of columns and special map columns to categories")
    return {str(name) for name in personal}, {str(name): str(category) for name, category in special.items()}
