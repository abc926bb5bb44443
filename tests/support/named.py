"""What a program declares, with its names, and no engine at all: quick enough for thousands of environments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pulumi


@dataclass(frozen=True)
class Declared:
    """A resource as a program declares it.

    Attributes:
        type: Its type.
        name: Its logical name.
        urn: What Pulumi tells it apart by: the types that it is beneath, its own, and its name.
        inputs: What it is made of.
    """

    type: str
    name: str
    urn: str
    inputs: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return self.type.rpartition(":")[2]

    @property
    def where(self) -> tuple[str, str, str]:
        """Kind, namespace and name of an object."""
        metadata = self.inputs["metadata"]
        return self.kind, metadata.get("namespace", ""), metadata["name"]


def declared(program: Callable[[], object]) -> list[Declared]:
    """Run a program and return what it declares, charts, providers and components too."""
    found: list[Declared] = []

    def keep(  # noqa: PLR0917 - as Pulumi has them
        self: pulumi.Resource,
        type_: str,
        name: str,
        custom: bool,
        props: object = None,
        opts: pulumi.ResourceOptions | None = None,
        *_: object,
    ) -> None:
        parent = opts.parent if opts else None
        above = f"{parent.__dict__['chain']}$" if parent is not None else ""
        self.__dict__.update(chain=f"{above}{type_}", _name=name, _type=type_)
        found.append(Declared(type_, name, f"{above}{type_}::{name}", props if isinstance(props, Mapping) else {}))

    with (
        patch.object(pulumi.Resource, "__init__", keep),
        patch.object(pulumi.ComponentResource, "register_outputs", lambda *_: None),
    ):
        program()
    return found


def objects(found: list[Declared]) -> list[Declared]:
    """Return the Kubernetes objects of what was declared."""
    return [one for one in found if one.type.startswith("kubernetes:") and "metadata" in one.inputs]
