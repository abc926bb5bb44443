"""Turns pydantic's findings into ours: what was got, what is allowed, what to write; its wording never shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel

from environments.loading.shape import Key, fields_of, models_at, tag_of
from environments.loading.shown import shown
from environments.spec.base import CONTRADICTION, WRONG
from environments.spec.references import suggestion

Path = tuple[Key, ...]


class Finding(NamedTuple):
    """What is wrong at a path; `at_key` says that the key, not its value, is the culprit."""

    path: Path
    problem: str
    value: str = ""
    allowed: str = ""
    fix: str = ""
    missing: bool = False


_BOUNDS = {
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
}
_TYPES = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "tuple_type": "a list ([…], or a '-' a line)",
    "list_type": "a list ([…], or a '-' a line)",
}
_MAPPINGS = {"dict_type", "model_type", "model_attributes_type"}
_LISTS = {"tuple_type", "list_type"}
_YES = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def translate(error: Any, root: type[BaseModel], data: Any) -> Iterator[Finding]:
    """Yield ours for one of pydantic's error details.

    Args:
        error: an item of `ValidationError.errors()`.
        root: the model that was validated.
        data: what it was validated from.
    """
    kind, context = error["type"], error.get("ctx", {})
    path = _real_path(error["loc"], kind, data)
    value = error.get("input")
    got = shown(value, str(path[-1]) if path else "")
    if kind == CONTRADICTION:
        for problem in context["problems"]:
            yield Finding((*path, *problem.at), problem.what, "", "", problem.fix)
    elif kind == "missing":
        yield _missing(path, root, data)
    elif kind == "extra_forbidden":
        yield _unknown_key(path, root, data)
    elif kind in {"union_tag_not_found", "union_tag_invalid"}:
        yield _union(path, root, data, value)
    elif kind == WRONG:
        yield Finding(path, f"got {got}", got, context["allowed"], context["fix"])
    elif kind in {"enum", "literal_error"}:
        options = re.findall(r"'([^']*)'", context["expected"])
        yield Finding(path, f"got {got}", got, ", ".join(options), suggestion(str(value), options))
    elif kind in _BOUNDS:
        yield Finding(path, f"got {got}", got, _BOUNDS[kind].format(**context))
    elif kind in {"too_short", "too_long"}:
        limit = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
        yield Finding(path, f"got {context['actual_length']} items", got, limit, "")
    elif kind in _TYPES:
        yield Finding(path, f"got {got}", got, _TYPES[kind], _type_fix(kind, value, path, root, data))
    else:
        yield Finding(path, f"got {got}", got, "another value", "see docs/environments.md for the field")


def _real_path(location: Path, kind: str, data: Any) -> Path:
    """Return the location without the parts that pydantic adds: the tag of a union, the mark of a mapping's key."""
    path: list[Key] = []
    for position, key in enumerate(location):
        last = position == len(location) - 1
        if isinstance(data, dict):
            if key in data:
                data = data[key]
            elif (
                key == "[key]"
                or (not last and data.get("kind") == key)
                or (last and kind != "missing" and data.get("kind") == key)
            ):
                continue
            else:
                data = None
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        path.append(key)
    return tuple(path)


def _missing(path: Path, root: type[BaseModel], data: Any) -> Finding:
    key = str(path[-1])
    for model in models_at(root, path[:-1], data):
        if field := fields_of(model).get(key):
            meaning = (field.info.description or "").rstrip(".")
            return Finding(path, "is missing", fix=f"add '{key}': {meaning[:1].lower()}{meaning[1:]}", missing=True)
    return Finding(path, "is missing", fix=f"add '{key}'", missing=True)


def _unknown_key(path: Path, root: type[BaseModel], data: Any) -> Finding:
    known = [key for model in models_at(root, path[:-1], data) for key in fields_of(model)]
    key = str(path[-1])
    fix = suggestion(key, known) or _elsewhere(key, root) or "remove it"
    return Finding(path, f"unknown key {shown(key)}", shown(key), ", ".join(dict.fromkeys(known)), fix)


def _elsewhere(key: str, root: type[BaseModel]) -> str:
    """Say where the key belongs, when it was written at a wrong level."""
    from environments.loading.shape import every_field

    places = [".".join(path).replace(".[]", "[]") for path, _, _ in every_field(root) if path[-1] == key]
    return f"it belongs to {places[0]}" if len(places) == 1 else ""


def _union(path: Path, root: type[BaseModel], data: Any, value: Any) -> Finding:
    options = [tag for model in models_at(root, path, data) if (tag := tag_of(model))]
    allowed = ", ".join(options)
    if isinstance(value, dict) and "kind" in value:
        kind = value["kind"]
        return Finding((*path, "kind"), f"got {shown(kind)}", shown(kind), allowed, suggestion(str(kind), options))
    if isinstance(value, dict):
        return Finding((*path, "kind"), "is missing", "", allowed, "add 'kind'", missing=True)
    got = shown(value)
    fix = f"write {{kind: {value}}}" if isinstance(value, str) and value in options else f"write {{kind: {options[0]}}}"
    return Finding(path, f"got {got}", got, f"a mapping with kind: {allowed}", fix)


def _type_fix(kind: str, value: Any, path: Path, root: type[BaseModel], data: Any) -> str:
    if kind == "bool_type":
        word = _YES.get(str(value).lower(), str(value).lower() if str(value).lower() in {"true", "false"} else "")
        return f"did you mean {word}?" if word else ""
    if kind in _LISTS and value is not None:
        return "put a '-' before each item" if isinstance(value, dict) else f"write [{value}]" if _short(value) else ""
    if kind in {"int_type", "float_type"} and isinstance(value, str):
        number = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%?\s*", value)
        return f"did you mean {number[1]}?" if number else ""
    if kind in _MAPPINGS:
        known = [key for model in models_at(root, path, data) for key in fields_of(model)]
        return f"its keys are {', '.join(known)}" if known else ""
    return ""


def _short(value: Any) -> bool:
    return isinstance(value, str | int | float) and "hidden" not in shown(value) and len(str(value)) <= 40  # noqa: PLR2004
