"""What differs between what is deployed and what a file asks for, and which of it cannot be done in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic import ValidationError

from mlstrata.environments.loading.errors import SpecError, SpecErrors
from mlstrata.environments.loading.loader import Loaded
from mlstrata.environments.loading.shape import Key, every_field
from mlstrata.environments.redaction import LONGEST, path_of, shown
from mlstrata.environments.spec.environment import EnvironmentSpec

_ABSENT = object()


class Kind(StrEnum):
    """Axis: what happened to a part of the spec."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class Change:
    """A part of the spec that differs.

    Attributes:
        path: where, in the wanted spec where it is there, else in the deployed one, such as `systems[0].owner`.
        name: the same with lists' items by their name, such as `systems[mortgage-approval].owner`.
        kind: added, removed or changed.
        before: the deployed value, as JSON has it; None where there is none.
        after: the wanted value; None where there is none.
        migration: how to get there all the same; empty where the change can be made in place.
    """

    path: tuple[Key, ...]
    name: str
    kind: Kind
    before: Any
    after: Any
    migration: str = ""


def compare(deployed: EnvironmentSpec | Mapping[str, Any], wanted: EnvironmentSpec) -> tuple[Change, ...]:
    """Compare what is deployed with what is wanted; return what differs, in the order of the spec.

    Items of lists are matched by name, so their order is no change. What is deployed may have been written by an
    older version: a field that it does not know counts as its default, and fields that are gone count as removed.
    It may also be a part of a spec only; then what it leaves out counts as added.

    Args:
        deployed: a spec, or its canonical form (`model_dump(mode="json")`).
        wanted: the spec to go to.
    """
    before, after = _canonical(deployed), wanted.model_dump(mode="json")
    return _with_renames(tuple(_differences(before, after, (), "")))


def refuse_immutable(deployed: EnvironmentSpec | Mapping[str, Any], wanted: Loaded) -> tuple[Change, ...]:
    """Compare, and refuse what cannot be changed in place before anything runs.

    Returns:
        the changes, none of which is refused.

    Raises:
        SpecErrors: one error for each fixed field that differs, with its line and the way to migrate.
    """
    changes = compare(deployed, wanted.spec)
    errors = []
    for change in (one for one in changes if one.migration):
        got, had = _said(change.after), _said(change.before)
        problem = f"got {got}, but {had} is deployed and cannot change in place"
        place = wanted.place(change.path)
        fix = f"go back to {had}, or {change.migration}"
        errors.append(SpecError(wanted.file, *place, path_of(change.path), problem, got, "", fix))
    if errors:
        raise SpecErrors(errors)
    return changes


def _said(value: object) -> str:
    """Return a value of a valid spec: what cannot change in place is a part of names, which every plan shows."""
    return repr(value[:LONGEST]) if isinstance(value, str) else shown(value)


@cache
def _immutable() -> dict[tuple[str, ...], str]:
    return {
        path: str(field.info.json_schema_extra["x-immutable"])
        for path, _, field in every_field(EnvironmentSpec)
        if isinstance(field.info.json_schema_extra, dict) and "x-immutable" in field.info.json_schema_extra
    }


def _canonical(spec: EnvironmentSpec | Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return EnvironmentSpec.model_validate(spec).model_dump(mode="json")
    except ValidationError:
        return dict(spec)


def _differences(before: object, after: object, path: tuple[Key, ...], name: str) -> Iterator[Change]:
    old, new = _children(before), _children(after)
    if old is not None and new is not None and isinstance(before, list) == isinstance(after, list):
        kinds = [children.get("kind") for children in (old, new)]
        if all(kinds) and kinds[0] != kinds[1]:
            # Another kind of thing has other fields; comparing them would only say the same again.
            old, new = ({"kind": kind} for kind in kinds if kind)
        for key in [*new, *(key for key in old if key not in new)]:
            place, _ = new.get(key) or old[key]
            inner = f"{name}[{key}]" if isinstance(place, int) else f"{name}.{key}" if name else key
            values = [children[key][1] if key in children else _ABSENT for children in (old, new)]
            yield from _differences(values[0], values[1], (*path, place), inner)
    elif before != after or isinstance(before, bool) is not isinstance(after, bool):
        kind = Kind.ADDED if before is _ABSENT else Kind.REMOVED if after is _ABSENT else Kind.CHANGED
        # A fixed field that only one side knows came, or went, with what it belongs to.
        migration = _immutable().get(_generic(path), "") if kind is Kind.CHANGED else ""
        values = [None if value is _ABSENT else value for value in (before, after)]
        yield Change(path, name, kind, values[0], values[1], migration)


def _children(value: object) -> dict[str, tuple[Key, object]] | None:
    """Return the parts of a mapping or of a list of named things, each by its name with its place; None of others."""
    if isinstance(value, Mapping):
        return {str(key): (str(key), item) for key, item in value.items()}
    if isinstance(value, list):
        named: dict[str, tuple[Key, object]] = {
            item["name"]: (index, item) for index, item in enumerate(value) if _is_item(item)
        }
        return named if len(named) == len(value) else None
    return None


def _with_renames(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Find the named things that went and came back under another name: a rename, which is never in place."""
    gone = [change for change in changes if change.kind is Kind.REMOVED and _is_item(change.before)]
    found: list[Change] = []
    for change in changes:
        came = change.kind is Kind.ADDED and _is_item(change.after)
        siblings = [old for old in gone if came and old.path[:-1] == change.path[:-1]]
        matches = [old for old in siblings if {**old.before, "name": ""} == {**change.after, "name": ""}]
        if not matches:
            found.append(change)
            continue
        old = matches[0]
        gone.remove(old)
        migration = _immutable().get((*_generic(change.path), "name"), "")
        names = (old.before["name"], change.after["name"])
        found.append(Change((*change.path, "name"), change.name, Kind.CHANGED, *names, migration))
    return tuple(found)


def _is_item(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("name"), str)


def _generic(path: tuple[Key, ...]) -> tuple[str, ...]:
    return tuple("[]" if isinstance(key, int) else key for key in path)
