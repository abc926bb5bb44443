"""Texts that look like numbers or dates in another notation: trained on as they are, each would be a word."""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST_WORDS = 5
"""Distinct texts among numbers that look like words for a missing value; more are texts of their own."""
FEW = 0.1
"""Share of the rows up to which they do."""

COLUMN = "COLUMN"
"""Stands for the column's name in a fix."""

_DIGITS = re.compile(r"[+-]?[0-9]+")
_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MONEY = r"(?:[€$£¥₹]|EUR|USD|GBP|CHF|JPY|PLN|SEK|NOK|DKK|CZK)"
_BODY = r"[0-9]{1,3}(?:[.,'\u2019 \u00a0\u202f][0-9]{3})+(?:[.,][0-9]+)?|[0-9]+(?:[.,][0-9]+)?|[.,][0-9]+"
_LOOSE = re.compile(rf"{_MONEY}?\s?[+-]?\s?{_MONEY}?\s?(?:{_BODY})\s?(?:%|‰|{_MONEY})?")
_DATE = re.compile(r"[0-9]{1,2}([./-])[0-9]{1,2}\1(?:[0-9]{4}|[0-9]{2})(?:[T ,]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?")
_BIG_ENDIAN = re.compile(r"[0-9]{4}([./])[0-9]{1,2}\1[0-9]{1,2}(?:[T ,]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?")


def looks_like(counted: Mapping[str, int]) -> str:
    """Say what a column of texts looks like, with an example, its rows and the fix; empty where they are texts.

    Args:
        counted: Text to the number of rows that hold it.
    """
    stripped: dict[str, int] = {}
    for text, rows in counted.items():
        stripped[text.strip()] = stripped.get(text.strip(), 0) + rows
    stripped.pop("", None)
    if not stripped or all(_DIGITS.fullmatch(text) for text in stripped):
        return ""  # digits that a typed file calls text, or with zeros in front, are codes
    if all(_DATE.fullmatch(text) or _BIG_ENDIAN.fullmatch(text) for text in stripped):
        return _dates(stripped)
    loose = {text for text in stripped if _LOOSE.fullmatch(text)}
    others = {text: rows for text, rows in stripped.items() if text not in loose}
    if others and (len(others) > MOST_WORDS or sum(others.values()) > FEW * sum(stripped.values())):
        return ""
    odd = sorted(text for text in loose if not _PLAIN.fullmatch(text))
    if odd:
        return _number(max(odd, key=_tellable), sum(stripped[text] for text in odd), odd)
    if not others and not all(_DIGITS.fullmatch(text) for text in loose):
        example = max(loose, key=len)
        rows = sum(stripped.values())
        return f"{example!r} is a number kept as text, in {rows} rows; declare format: {{kinds: {{{COLUMN}: number}}}}"
    words = others and not any(re.search(r"[0-9]", text) for text in others)
    codes = any(len(text) > 1 and text[0] == "0" and text.isdigit() for text in loose)
    return _words(others) if words and not codes else ""


def _words(others: Mapping[str, int]) -> str:
    shown = ", ".join(repr(text) for text in sorted(others))
    rows = sum(others.values())
    listed = ", ".join(f'"{text}"' for text in sorted(others))
    return (
        f"{shown} in {rows} row{'s' if rows > 1 else ''} {'are' if len(others) > 1 else 'is'} no number, all others "
        f"are; if that means a missing value, write format: {{missing: [{listed}]}} for its dataset"
    )


def _tellable(text: str) -> tuple[bool, bool, int]:
    """Order examples by how much they tell: both marks, then a comma that is no group, then length."""
    return (
        "," in text and "." in text,
        bool(re.search(r"[.,](?:[0-9]{1,2}|[0-9]{4,})(?![0-9])", text)),
        len(text),
    )


def _number(text: str, rows: int, odd: list[str]) -> str:
    what, fix = _cause(text, odd)
    return f"{text!r} looks like {what}, in {rows} row{'s' if rows > 1 else ''}; {fix}"


def _cause(text: str, odd: list[str]) -> tuple[str, str]:
    digits = re.sub(r"[^0-9.,+-]", "", text)
    if text.endswith(("%", "‰")):
        return "a percentage", f"write {digits.replace(',', '.')} in a column that says per cent"
    if re.search(_MONEY, text):
        return "an amount with its currency", "write the number alone, and the currency into a column of its own"
    last = max(digits.rfind(","), digits.rfind("."))
    groups = re.sub(r"[0-9+-]", "", text[: text.rfind(digits[last])]) if last >= 0 else ""
    if "," in digits and (digits.rfind(",") > digits.rfind(".")):
        if all(re.fullmatch(r"[+-]?[0-9]{1,3}(,[0-9]{3})+", one) for one in odd):
            plain = digits.replace(",", "")
            return "a number with a comma for thousands", f'write {plain}, or format: {{thousands: ","}}'
        plain = digits.replace(".", "").replace(",", ".")
        group = f', thousands: "{groups[0]}"' if groups else ""
        return "a number written with a comma", f'write {plain}, or format: {{decimal: ","{group}}}'
    mark = re.sub(r"[0-9+-]", "", text)[:1]
    return "a number with marks for thousands", f'write it without them, or format: {{thousands: "{mark}"}}'


def _dates(stripped: Mapping[str, int]) -> str:
    example = min(stripped)
    parts = [re.split(r"[./-]", re.split(r"[T ,]", text)[0]) for text in stripped]
    mark = next(sign for sign in example if not sign.isdigit())
    if _BIG_ENDIAN.fullmatch(example):
        form = f"%Y{mark}%m{mark}%d"
    else:
        year = "%Y" if len(parts[0][2]) > 2 else "%y"  # noqa: PLR2004 - digits of a year
        american = any(int(one[1]) > 12 for one in parts)  # noqa: PLR2004 - months
        form = f"%m{mark}%d{mark}{year}" if american else f"%d{mark}%m{mark}{year}"
    rest = re.split(r"[0-9./-]+", example, maxsplit=1)[1] if re.search(r"[T ,]", example) else ""
    if rest:
        form += rest[: len(rest) - len(rest.lstrip("T ,"))] + ("%H:%M:%S" if example.count(":") > 1 else "%H:%M")
    rows = sum(stripped.values())
    return f'{example!r} looks like a date in another notation, in {rows} rows; write format: {{dates: "{form}"}}'
