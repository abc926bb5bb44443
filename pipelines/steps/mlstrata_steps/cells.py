"""From a cell to a value: the one reading of a table that training, batch scoring and the API share.

A column has one of the kinds of `tables.KINDS`. What a file says of its types decides the kind (`infer`); what a cell
then means is said by `value` alone, whether it comes out of a csv, a parquet file, a JSON line or a request.
"""

from __future__ import annotations

import codecs
import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from mlstrata_steps.outcome import StepError
from mlstrata_steps.rules import parsed

KINDS = ("integer", "number", "boolean", "string", "date", "time")
"""The closed list: a whole number, a number with decimals, true or false, text (categories too), a day, a moment."""

ABSENT = frozenset({"na", "n/a", "nan", "null", "none", "<na>", "#n/a", "#na", "-nan"})
"""What programs write into a csv where a number, a flag or a date is missing; in a column of texts they are texts."""

LARGEST = 2**63
"""Whole numbers have 64 bits, one of them the sign."""

_EXACT = 2.0**53
_FLAGS = {"true": True, "false": False}
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)|\+(?:0|[1-9][0-9]{0,6})")
_NUMBER = re.compile(
    # A plus in front of more digits is a telephone number.
    r"(?:-|\+(?=[0-9]{0,7}(?:[.eE]|$)))?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
    r"|[+-]?inf(?:inity)?",
    re.IGNORECASE,
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:[.,]([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)


class NoValue(ValueError):
    """A cell is none of its column's kind; the message says what was expected."""


@dataclass(frozen=True)
class Format:
    """How a source is written, where it is not written as we would.

    Attributes:
        delimiter: What separates the fields of a csv.
        decimal: What separates a number's decimals.
        thousands: What separates its groups of three; empty: nothing.
        encoding: How a csv's characters are written.
        dates: How days are written, in the signs of `strptime`, such as %d.%m.%Y; empty: ISO 8601.
        missing: Texts that stand for a missing value, in every column; a request's too.
        kinds: Column to kind, for those whose kind the file does not show.
    """

    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    dates: str = ""
    missing: tuple[str, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, document: Mapping[str, object] | None) -> Format:
        """Read a format from plain JSON values.

        Raises:
            StepError: A key is unknown, or its value is.
        """
        form = parsed(cls, "format", document or {})
        try:
            codecs.lookup(form.encoding)
        except LookupError:
            raise StepError(f"format.encoding: got {form.encoding!r}; allowed utf-8, windows-1252, …") from None
        for name, kind in form.kinds.items():
            if kind not in KINDS:
                near = difflib.get_close_matches(str(kind), KINDS, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise StepError(f"format.kinds.{name}: got {kind!r}; allowed {', '.join(KINDS)}{hint}")
        return form


PLAIN = Format()


def value(cell: Any, kind: str, *, written: bool = False, form: Format = PLAIN) -> Any:
    """Say what a cell means in a column of a kind.

    Args:
        cell: As a file or a request holds it.
        kind: One of `KINDS`.
        written: The cell is the text of a csv, which knows no types: a number is written there as text.
        form: How it is written.

    Returns:
        int, float, bool, str, date, datetime (UTC, without its zone), or None for a missing value.

    Raises:
        NoValue: The cell is nothing of this kind.
    """
    if _is_missing(cell):
        return None
    if isinstance(cell, bytes):
        cell = _decoded(cell)
    if isinstance(cell, str):
        if not cell or cell in form.missing:
            return None
        if kind == "string":
            return cell
        cell = cell.strip()
        if written:
            return _of_text(cell, kind, form)
    if kind == "string":
        return _as_text(cell)
    return _TYPED[kind](cell, form)


def infer(cells: Iterable[Any], *, written: bool = False, gaps: bool = False, form: Format = PLAIN) -> str:
    """Name the kind of a column by its cells: the narrowest one that all known cells have.

    Args:
        cells: Each distinct cell of the column, once is enough.
        written: They are the texts of a csv.
        gaps: Some cells of the column are missing besides.
        form: How they are written.
    """
    known = []
    for cell in cells:
        text = cell.strip() if isinstance(cell, str) else cell
        if _is_missing(cell) or cell == "" or cell in form.missing or (written and text == ""):
            gaps = True
        else:
            known.append(cell)
    if not known:
        return "integer"  # a column without a value is of the same kind in every format
    # A word such as NA is a missing number in a column of numbers, and a text among texts.
    meant = [one for one in known if not (written and isinstance(one, str) and one.strip().lower() in ABSENT)]
    if not meant:
        return "string"
    gaps = gaps or len(meant) < len(known)
    kinds = ("boolean", "integer", "number", "date", "time")
    kind = next((one for one in kinds if all(_fits(cell, one, written, form) for cell in meant)), "string")
    if kind == "number" and gaps and all(_lost(value(cell, kind, written=written, form=form)) for cell in meant):
        return "integer"
    return kind


def _fits(cell: Any, kind: str, written: bool, form: Format) -> bool:
    if not written and isinstance(cell, float | Decimal) and kind == "integer":
        return False
    try:
        found = value(cell, kind, written=written, form=form)
    except NoValue as error:
        return isinstance(error, TooLarge)
    if written and kind == "integer":
        return _WHOLE.fullmatch(_plain(cell.strip(), form)) is not None
    return found is not None


class TooLarge(NoValue):
    """A whole number has more than 64 bits."""


def _is_missing(cell: Any) -> bool:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return True
    if isinstance(cell, Decimal):
        return cell.is_nan()
    return type(cell).__name__ in {"NAType", "NaTType"}


def _decoded(cell: bytes) -> str:
    try:
        return cell.decode()
    except UnicodeDecodeError:
        raise NoValue("bytes that are UTF-8 text") from None


def _as_text(cell: Any) -> str:
    if isinstance(cell, date | time):
        return cell.isoformat()
    raise NoValue("text")


def _of_text(text: str, kind: str, form: Format) -> Any:
    """Read what a csv writes where a kind is expected."""
    if not text or text.lower() in ABSENT:
        return None
    if kind == "boolean":
        if text.lower() not in _FLAGS:
            raise NoValue("true or false")
        return _FLAGS[text.lower()]
    if kind in {"integer", "number"}:
        plain = _plain(text, form)
        if kind == "integer" and _WHOLE.fullmatch(plain):
            return _whole_number(int(plain), form)
        if not _NUMBER.fullmatch(plain):
            raise NoValue("a number")
        return _TYPED[kind](float(plain), form)
    return _TYPED[kind](text, form)


def _plain(text: str, form: Format) -> str:
    """Write a number with a point and without groups."""
    if form.thousands:
        if re.search(rf"[0-9]{re.escape(form.thousands)}(?![0-9]{{3}}(?![0-9]))", text):
            return "no number"  # a group of other than three digits is no thousands
        text = text.replace(form.thousands, "")
    return text if form.decimal == "." else text.replace(".", "no").replace(form.decimal, ".")


def _lost(number: float) -> bool:
    """Say whether a number is a whole one that lost its type to the column's gaps: 5.0, as pandas writes it."""
    return math.isfinite(number) and number == round(number) and abs(number) < _EXACT


def _whole_number(cell: Any, _: Format) -> int:
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise NoValue("a whole number")
    if not isinstance(cell, int) and (not math.isfinite(cell) or cell != int(cell)):
        raise NoValue("a whole number")
    number = int(cell)
    if not -LARGEST <= number < LARGEST:
        raise TooLarge("a whole number of 64 bits")
    return number


def _number(cell: Any, _: Format) -> float:
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise NoValue("a number")
    try:
        return float(cell)
    except OverflowError:
        raise NoValue("a number") from None


def _flag(cell: Any, _: Format) -> bool:
    if not isinstance(cell, bool):
        raise NoValue("true or false")
    return cell


def _day(cell: Any, form: Format) -> date:
    found = _moment(cell, form)
    if found.time() != time():
        raise NoValue("a date")
    return found.date()


def _moment(cell: Any, form: Format) -> datetime:
    if isinstance(cell, str):
        return _read_moment(cell, form)
    if isinstance(cell, datetime):
        # Times have no zone in a table: all are UTC, those written without one as well.
        return cell.astimezone(UTC).replace(tzinfo=None) if cell.tzinfo else cell
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)
    raise NoValue("a date and time, ISO 8601")


def _read_moment(text: str, form: Format) -> datetime:
    try:
        if form.dates:
            found = datetime.strptime(text, form.dates)
            return _moment(found, form)
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text)
        if match := _MOMENT.fullmatch(text):
            fraction = f".{match[2][:6]:0<6}" if match[2] else ""
            return _moment(datetime.fromisoformat(f"{match[1]}{fraction}{match[3] or ''}"), form)
    except ValueError:
        pass
    raise NoValue(f"a date as {form.dates}" if form.dates else "a date and time, ISO 8601")


_TYPED = {"integer": _whole_number, "number": _number, "boolean": _flag, "date": _day, "time": _moment}
