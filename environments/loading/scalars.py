"""What a plain YAML scalar means: YAML 1.2's core schema, kept to what YAML 1.1 reads alike.

So `yes`, `on` and `no` stay texts, `2027-06-01` is no date until a field asks for one, and `012345678901` keeps
its zero; and whatever PyYAML writes reads back as the same value.
"""

from __future__ import annotations

import re

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?")
_NOT_FINITE = re.compile(r"([-+]?)\.(?:(inf|Inf|INF)|(nan|NaN|NAN))")
# Python refuses to read longer numbers, and no field wants one.
_LONGEST_INT = 300

Scalar = str | int | float | bool | None


def resolve(text: str) -> Scalar:
    """Return the value of the plain scalar `text`."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text) and len(text) <= _LONGEST_INT:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if match := _NOT_FINITE.fullmatch(text):
        return float("nan") if match[3] else float(f"{match[1]}inf")
    return text
