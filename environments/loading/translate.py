"""Turns pydantic's findings into ours: what was got, what is allowed, what to write; its wording never shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from mlstrata.environments.loading.shape import Key, every_field, fields_of, models_at, tag_of
from mlstrata.environments.redaction import is_public, shown, under_secret
from mlstrata.environments.spec.base import CONTRADICTION, WRONG, suggestion

Path = tuple[Key, ...]
_WORD = re.compile(r"[A-Za-z0-9_.@/-]{1,40}")


class Finding(NamedTuple):
    """What is wrong at a path."""

    path: Path
    problem: str
    value: str = ""
    allowed: str = ""
    fix: str = ""


class _Case(NamedTuple):
    """One of pydantic's error details, with what it was found in."""

    kind: str
    path: Path
    value: object
    context: Mapping[str, Any]
    root: type[BaseModel]
    data: object

    @property
    def key(self) -> str:
        return str(self.path[-1]) if self.path else ""

    @property
    def got(self) -> str:
        return shown(self.value, *self.path)

    @property
    def repeatable(self) -> bool:
        """Say whether the value may stand in a fix as well."""
        return not under_secret(self.path) and is_public(str(self.value))

    def known_keys(self, path: Path) -> list[str]:
        """Return the keys that the mapping at `path` may have."""
        return list(dict.fromkeys(key for model in models_at(self.root, path, self.data) for key in fields_of(model)))

    def wrong(self, allowed: str, fix: str = "") -> Finding:
        return Finding(self.path, f"got {self.got}", self.got, allowed, fix)


def translate(error: Mapping[str, Any], root: type[BaseModel], data: object) -> Iterator[Finding]:
    """Yield ours for one of pydantic's error details.

    Args:
        error: an item of `ValidationError.errors()`.
        root: the model that was validated.
        data: what it was validated from.
    """
    kind = error["type"]
    path = _real_path(error["loc"], kind, data)
    case = _Case(kind, path, error.get("input"), error.get("ctx", {}), root, data)
    if kind == CONTRADICTION:
        for problem in case.context["problems"]:
            yield Finding((*path, *problem.at), problem.what, fix=problem.fix)
    else:
        yield _HANDLERS.get(kind, _other)(case)


def _real_path(location: Path, kind: str, data: object) -> Path:
    """Return the location without the parts that pydantic adds: the tag of a union, the mark of a mapping's key."""
    path: list[Key] = []
    for position, key in enumerate(location):
        last = position == len(location) - 1
        if isinstance(data, dict):
            tag = data.get("kind") == key and not (last and kind == "missing")
            if key not in data and (tag or key == "[key]"):
                continue
            data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        path.append(key)
    return tuple(path)


def _missing(case: _Case) -> Finding:
    meaning = ""
    for model in models_at(case.root, case.path[:-1], case.data):
        if field := fields_of(model).get(case.key):
            text = (field.info.description or "").rstrip(".")
            meaning = f": {text[:1].lower()}{text[1:]}"
    return Finding(case.path, "is missing", fix=f"add '{case.key}'{meaning}")


def _unknown_key(case: _Case) -> Finding:
    known = case.known_keys(case.path[:-1])
    fix = suggestion(case.key, known) or _elsewhere(case) or "remove it"
    # The key alone: what stands under a mistyped `password` is nobody's business.
    return Finding(case.path, f"unknown key {shown(case.key)}", shown(case.key), ", ".join(known), fix)


def _elsewhere(case: _Case) -> str:
    """Say where the key belongs: to another kind of the same thing, or to the one other level that has it."""
    here = tuple("[]" if isinstance(key, int) else key for key in case.path)
    places = []
    for path, model, _ in every_field(case.root):
        if path == here and (tag := tag_of(model)):
            return f"only kind {tag} has it; remove it"
        if path[-1] == case.key:
            places.append(path)
    return f"it belongs to {'.'.join(places[0]).replace('.[]', '[]')}" if len(places) == 1 else ""


def _union(case: _Case) -> Finding:
    options = [tag for model in models_at(case.root, case.path, case.data) if (tag := tag_of(model))]
    allowed = ", ".join(options)
    if not isinstance(case.value, dict):
        kind = case.value if isinstance(case.value, str) and case.value in options else options[0]
        return case.wrong(f"a mapping with kind: {allowed}", f"write {{kind: {kind}}}")
    at = (*case.path, "kind")
    if "kind" not in case.value:
        return Finding(at, "is missing", "", allowed, "add 'kind'")
    got = shown(case.value["kind"])
    return Finding(at, f"got {got}", got, allowed, suggestion(str(case.value["kind"]), options))


def _option(case: _Case) -> Finding:
    options = re.findall(r"'([^']*)'", case.context["expected"])
    return case.wrong(", ".join(options), suggestion(str(case.value), options))


def _wrong(case: _Case) -> Finding:
    meant = suggestion(case.value, case.context["among"]) if isinstance(case.value, str) else ""
    return case.wrong(case.context["allowed"], case.context["fix"] or meant)


def _length(case: _Case) -> Finding:
    short = case.kind == "too_short"
    limit = f"at least {case.context['min_length']}" if short else f"at most {case.context['max_length']}"
    fix = "add to it, or leave the key out" if short else "remove some"
    return Finding(case.path, f"got {case.context['actual_length']} items", "", limit, fix)


def _text(case: _Case) -> Finding:
    return case.wrong("a text", f"write {case.value!r} in quotes" if isinstance(case.value, bool | int | float) else "")


def _flag(case: _Case) -> Finding:
    word = str(case.value).lower()
    meant = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}.get(word, word)
    return case.wrong("true or false", f"write {meant} without quotes" if meant in {"true", "false"} else "")


def _number(case: _Case) -> Finding:
    allowed = "a whole number" if case.kind.startswith("int") else "a finite number"
    text = case.value.strip() if isinstance(case.value, str) else ""
    number = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*%?", text)
    return case.wrong(allowed, f"write {number[1]} without quotes or sign" if number else "")


def _list(case: _Case) -> Finding:
    allowed = "a list: […], or a '-' before each item"
    if isinstance(case.value, dict):
        return case.wrong(allowed, "put a '-' before each item")
    # Only one harmless word is repeated as it stands.
    word = case.repeatable and isinstance(case.value, str | int | float) and _WORD.fullmatch(str(case.value))
    return case.wrong(allowed, f"write [{case.value}]" if word else "")


def _mapping(case: _Case) -> Finding:
    if any(tag_of(model) for model in models_at(case.root, case.path, case.data)):
        return _union(case)
    known = case.known_keys(case.path)
    return case.wrong("a mapping (key: value)", f"its keys are {', '.join(known)}" if known else "")


def _other(case: _Case) -> Finding:
    return case.wrong("another value", "see docs/environments.md for the field")


_HANDLERS: dict[str, Callable[[_Case], Finding]] = {
    WRONG: _wrong,
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "union_tag_not_found": _union,
    "union_tag_invalid": _union,
    "enum": _option,
    "literal_error": _option,
    "greater_than": lambda case: case.wrong(f"above {case.context['gt']:g}"),
    "greater_than_equal": lambda case: case.wrong(f"at least {case.context['ge']:g}"),
    "less_than": lambda case: case.wrong(f"below {case.context['lt']:g}"),
    "less_than_equal": lambda case: case.wrong(f"at most {case.context['le']:g}"),
    "too_short": _length,
    "too_long": _length,
    "string_type": _text,
    "bool_type": _flag,
    "int_type": _number,
    "int_from_float": _number,
    "float_type": _number,
    "finite_number": _number,
    "tuple_type": _list,
    "list_type": _list,
    "dict_type": _mapping,
    "model_type": _mapping,
    "model_attributes_type": _mapping,
}
