"""A plan to edit: what the fixtures of the policies are made of."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from policies.facts import Document, Environment
from policies.graph import Record

Edit = Callable[["World"], None]
PROJECT = "urn:pulumi:prod::sample::"


@dataclass
class World:
    """An environment and its resources by logical name, in the order of their registration."""

    environment: Environment
    resources: dict[str, Record] = field(default_factory=dict)

    def add(self, type_: str, name: str, inputs: dict[str, Any] | None = None, **fields: Any) -> str:  # noqa: ANN401
        """Add a resource; return its URN. `parent` is a logical name."""
        parent = fields.pop("parent", "")
        urn = f"{PROJECT}{type_}::{name}"
        record = Record(urn, type_, name, self.resources[parent].urn if parent else "", inputs or {}, **fields)
        self.resources[name] = record
        return urn

    def copy(self) -> World:
        """Return a world that can be edited without changing this one; unknown values stay the one they are."""
        return World(
            self.environment,
            {name: replace(record, inputs=_copied(record.inputs)) for name, record in self.resources.items()},
        )


def put(name: str, path: str, value: Any) -> Edit:  # noqa: ANN401
    """Set an input of the resource `name`; keys that hold dots are written with `~` for each dot."""

    def edit(world: World) -> None:
        *way, last = [key.replace("~", ".") for key in path.split(".")]
        at: Any = world.resources[name].inputs
        for key in way:
            at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
        at[int(last) if isinstance(at, list) else last] = value

    return edit


def cut(name: str, path: str) -> Edit:
    """Remove an input of the resource `name`."""

    def edit(world: World) -> None:
        *way, last = [key.replace("~", ".") for key in path.split(".")]
        at: Any = world.resources[name].inputs
        for key in way:
            at = at[int(key)] if isinstance(at, list) else at[key]
        del at[int(last) if isinstance(at, list) else last]

    return edit


def without(*names: str) -> Edit:
    """Remove resources, with all that is beneath them."""

    def edit(world: World) -> None:
        gone = {world.resources.pop(name).urn for name in names}
        while orphans := [name for name, record in world.resources.items() if record.parent in gone]:
            gone |= {world.resources.pop(name).urn for name in orphans}

    return edit


def having(type_: str, name: str, inputs: dict[str, Any] | None = None, **fields: Any) -> Edit:  # noqa: ANN401
    """Add a resource."""

    def edit(world: World) -> None:
        world.add(type_, name, _copied(inputs or {}), **fields)

    return edit


def changed(name: str, **fields: Any) -> Edit:  # noqa: ANN401
    """Set fields of a resource's record: protect, dependencies, property_dependencies."""

    def edit(world: World) -> None:
        world.resources[name] = replace(world.resources[name], **fields)

    return edit


def facts(**fields: Any) -> Edit:  # noqa: ANN401
    """Set facts of the environment."""

    def edit(world: World) -> None:
        world.environment = replace(world.environment, **fields)

    return edit


def documented(path: str, document: Document) -> Edit:
    """Set what is known of a document."""

    def edit(world: World) -> None:
        known = {**world.environment.documents, path: document}
        world.environment = replace(world.environment, documents=known)

    return edit


def nothing(world: World) -> None:
    """Remove every resource."""
    world.resources.clear()


def _copied(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_copied(inner) for inner in value]
    return value if not isinstance(value, set) else copy.copy(value)
