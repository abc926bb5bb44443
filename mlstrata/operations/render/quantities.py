"""Quantities as Kubernetes writes them, so that what is applied and what is read back are the same text.

The canonical form of k8s.io/apimachinery's `resource.Quantity`: the largest suffix that leaves a whole number, in the
family of suffixes that the text is in; below 1024 a binary quantity is written as a plain number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_UP, Decimal
from typing import Any

_FORM = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)([KMGTPE]i|[numkMGTPE]?)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_BYTE = 1024
_SMALLEST_POWER = -9
_HOLDERS = frozenset({"requests", "limits", "hard", "default", "defaultRequest", "max", "min", "capacity"})
"""Fields of Kubernetes' own kinds that map a resource to its quantity."""
_ALONE = frozenset({"sizeLimit"})
OWN = re.compile(r"v1|(?:apps|batch|autoscaling|policy)/v[0-9a-z]+")
"""API groups whose quantities the server rewrites; what a custom kind holds it keeps as it is written."""


def canonical(text: str) -> str:
    """Return a quantity as Kubernetes writes it; what is none, or in an exponent's form, stays as it is."""
    found = _FORM.fullmatch(text)
    if found is None:
        return text
    number, suffix = Decimal(found[1]), found[2]
    if suffix.endswith("i"):
        value = number * _BYTE ** _BINARY.index(suffix)
        if abs(value) >= _BYTE:
            return _binary(int(value.to_integral_value(ROUND_UP)))
    else:
        value = number.scaleb(_DECIMAL[suffix])
    exponent = value.as_tuple().exponent
    fine = isinstance(exponent, int) and exponent < _SMALLEST_POWER
    return _decimal(value.quantize(Decimal(1).scaleb(_SMALLEST_POWER), ROUND_UP) if fine else value)


def _binary(value: int) -> str:
    at = 0
    while value % _BYTE == 0 and at < len(_BINARY) - 1:
        value, at = value // _BYTE, at + 1
    return f"{value}{_BINARY[at]}"


def _decimal(value: Decimal) -> str:
    if not value:
        return "0"
    for suffix, power in reversed(_DECIMAL.items()):
        scaled = value.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    raise AssertionError(f"{value} is below a billionth, to which it was rounded")


def normal(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with its quantities as the API server would write them."""
    if not OWN.fullmatch(str(manifest["apiVersion"])) or manifest["kind"] in {"ConfigMap", "Secret"}:
        return dict(manifest)
    return {key: _walked(value) for key, value in manifest.items()}


def _walked(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        holds = key in _HOLDERS
        return {one: _quantity(inner) if holds else _walked(inner, one) for one, inner in value.items()}
    if isinstance(value, list):
        return [_walked(inner) for inner in value]
    return _quantity(value) if key in _ALONE else value


def _quantity(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return canonical(str(value)) if number or isinstance(value, str) else value
