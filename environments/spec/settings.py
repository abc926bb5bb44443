"""Settings of a pipeline: plain values, with the keys of the training pipeline checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import Problem, suggestion, wrong
from mlstrata.environments.spec.rules import RULES, check_rules, rules_schema

TRAINING = "training"
JUDGING = "judging"
"""In place of it for a model that was trained elsewhere; no file names it."""
_TRAINING_KEYS = ("parameters", *RULES, "seed", "test_fraction", "workers", "gpus")
_DEEPEST = 6
_MOST_WORKERS = 64
_LARGEST_SEED = 2**32 - 1


def plain(value: object, depth: int = 0) -> Any:
    """Return `value` as JSON has it.

    Raises:
        PydanticCustomError: it holds something else, a number that is not finite, or is nested too deep.
    """
    if isinstance(value, float) and not isfinite(value):
        raise wrong("finite numbers")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if depth < _DEEPEST and isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if depth < _DEEPEST and isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: plain(item, depth + 1) for key, item in value.items()}
    raise wrong(f"numbers, texts, true, false, null, and lists or mappings of them, up to {_DEEPEST} deep")


def _settings(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong("a mapping of setting to value, such as {parameters: {C: 0.5}}")
    return {str(key): plain(item) for key, item in value.items()}


def _scalar(value: object) -> str | bool | int | float:
    if isinstance(value, str | bool | int) or (isinstance(value, float) and isfinite(value)):
        return value
    raise wrong("a text, a number, true or false")


def _schema() -> dict[str, Any]:
    """Return the JSON schema of settings: what `check_training` takes."""
    keys: dict[str, dict[str, Any]] = {
        "parameters": {"type": "object"},
        **{step: rules_schema(step) for step in RULES},
        "seed": {"type": "integer", "minimum": 0, "maximum": _LARGEST_SEED},
        "test_fraction": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "workers": {"type": "integer", "minimum": 1, "maximum": _MOST_WORKERS},
        "gpus": {"type": "integer", "minimum": 0},
    }
    return {"type": "object", "properties": keys, "additionalProperties": False}


Settings = Annotated[
    dict[str, Any],
    PlainValidator(_settings),
    PlainSerializer(dict, return_type=dict[str, Any]),
    WithJsonSchema(_schema()),
]
Value = Annotated[
    str | bool | int | float,
    PlainValidator(_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]


_EXPONENT = re.compile(r"([-+]?)([0-9]*)(?:\.([0-9]*))?[eE]([-+]?)([0-9]+)")
_OTHER_BASE = re.compile(r"[-+]?(?:0x[0-9a-fA-F]{1,16}|0o[0-7]{1,20}|0b[01]{1,64})")
_GROUPED = re.compile(r"[-+]?[0-9]{1,3}(?:_[0-9]{3}){1,5}")


def check_training(settings: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what the training pipeline would not understand."""
    for key, value in settings.items():
        at = ("settings", key)
        if key not in _TRAINING_KEYS:
            fix = suggestion(key, _TRAINING_KEYS) or "put settings of the algorithm under `parameters`"
            yield Problem(at, f"unknown key {shown(key)}; allowed {', '.join(_TRAINING_KEYS)}", fix)
        elif key == "parameters" or key in RULES:
            yield from _check_mapping(key, value)
        elif key == "test_fraction":
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
                yield Problem(
                    at, f"got {shown(value, *at)}; allowed a number between 0 and 1", "write 0.25 for a quarter"
                )
        elif key == "workers":
            if type(value) is not int or not 1 <= value <= _MOST_WORKERS:
                yield Problem(
                    at,
                    f"got {shown(value, *at)}; allowed a whole number, 1 to {_MOST_WORKERS}",
                    "write 2 to train in two processes",
                )
        elif type(value) is not int or not 0 <= value <= _LARGEST_SEED:
            yield Problem(
                at, f"got {shown(value, *at)}; allowed a whole number, 0 or more", "write a number without quotes"
            )


def _check_mapping(key: str, value: object) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(("settings", key), "is not a mapping", f"write {key}: {{name: value}}")
    else:
        if key in RULES:
            yield from check_rules(key, value)
        free = value if key == "parameters" else value.get("space") if key == "search" else None
        yield from _written_as_text(("settings", key) if key == "parameters" else ("settings", key, "space"), free)


def _as_number(text: str) -> str:
    """Say how to write the number that a text looks like; empty where it looks like none."""
    match = _EXPONENT.fullmatch(text)
    if match and (match[2] or match[3]):
        minus, whole, fraction, sign, power = match.groups()
        number = f"{minus}{whole or '0'}.{fraction or '0'}e{sign or '+'}{power}"
        return f"write {number}, with a point and the sign of the exponent"
    if _OTHER_BASE.fullmatch(text) or _GROUPED.fullmatch(text):
        return f"write {int(text, 0 if _OTHER_BASE.fullmatch(text) else 10)}"
    return ""


def _written_as_text(at: tuple[str | int, ...], value: object) -> Iterator[Problem]:
    """Yield the numbers that YAML 1.1 reads as texts, where nothing else would say so before training has begun."""
    if isinstance(value, str) and (fix := _as_number(value)):
        yield Problem(at, f"got the text {shown(value, *at)}; allowed a number", fix)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _written_as_text((*at, name), one)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _written_as_text((*at, index), one)
