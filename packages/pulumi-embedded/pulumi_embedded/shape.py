"""The form that every part of a checkpoint must have, before anything that relies on it reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_LONGEST = 40

Check = Callable[[object], bool]


def _list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _lists_of_texts(value: object) -> bool:
    return isinstance(value, dict) and all(one is None or _list_of_texts(one) for one in value.values())


def _is(kind: type) -> Check:
    return lambda value: isinstance(value, kind)


_TEXT = (_is(str), "text")
_FLAG = (_is(bool), "true or false")
_MAPPING = (_is(dict), "an object")
_TEXTS = (_list_of_texts, "a list of texts")
# What the engine reads; keys that it does not know are kept as they are.
_FIELDS: dict[str, tuple[Check, str]] = {
    **dict.fromkeys(("urn", "type", "id", "parent", "provider", "importID", "deletedWith", "created"), _TEXT),
    "modified": _TEXT,
    **dict.fromkeys(("custom", "delete", "protect", "taint", "external", "pendingReplacement"), _FLAG),
    "retainOnDelete": _FLAG,
    **dict.fromkeys(("inputs", "outputs", "customTimeouts"), _MAPPING),
    **dict.fromkeys(("dependencies", "initErrors", "additionalSecretOutputs", "aliases"), _TEXTS),
    **dict.fromkeys(("ignoreChanges", "replaceOnChanges", "replaceWith"), _TEXTS),
    "propertyDependencies": (_lists_of_texts, "an object of lists of texts"),
}
_NEEDED = ("urn", "type")
_OPERATIONS = frozenset({"creating", "updating", "deleting", "reading", "importing"})


def misshapen(checkpoint: object) -> str:
    """Return the first part of a checkpoint that has not the form it must have: where, got, allowed; else ""."""
    return next(_problems(checkpoint), "")


def _problems(checkpoint: object) -> Iterator[str]:
    if not isinstance(checkpoint, dict):
        yield _said("checkpoint", checkpoint, "an object")
        return
    latest = checkpoint.get("latest")
    if latest is None:
        return
    if not isinstance(latest, dict):
        yield _said("latest", latest, "an object")
        return
    for part in ("manifest", "secrets_providers", "metadata"):
        if not isinstance(latest.get(part) or {}, dict):
            yield _said(part, latest[part], "an object")
    for part in ("resources", "pending_operations"):
        rows = latest.get(part)
        if rows is None:
            continue
        if not isinstance(rows, list):
            yield _said(part, rows, "a list")
            continue
        for number, row in enumerate(rows):
            yield from (_resource if part == "resources" else _operation)(f"{part}[{number}]", row)


def _operation(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _said(where, value, "an object")
        return
    if value.get("type") not in _OPERATIONS:
        yield _said(f"{where}.type", value.get("type"), f"one of {', '.join(sorted(_OPERATIONS))}")
    yield from _resource(f"{where}.resource", value.get("resource"))


def _resource(where: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _said(where, value, "an object")
        return
    for key, (check, allowed) in _FIELDS.items():
        found = value.get(key)
        if (found is not None or key in _NEEDED) and not check(found):
            yield _said(f"{where}.{key}", found, allowed)


def _said(where: str, value: object, allowed: str) -> str:
    shown = "nothing" if value is None else repr(value)
    shown = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
    return f"{where}: got {shown}; allowed {allowed}"
