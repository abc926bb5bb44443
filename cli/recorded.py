"""What the state records of an environment, read without its passphrase: secrets stay sealed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cli.console import UsageError
from cli.context import PROJECT, Context


@dataclass(frozen=True)
class Recorded:
    """One resource of the state, with its type's own name (`Service`), logical name and values."""

    kind: str
    name: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


def recorded(context: Context, *kinds: str) -> Iterator[Recorded]:
    """Yield the recorded resources whose type's own name is one of `kinds`."""
    document = context.backend.read(PROJECT, context.name) or {}
    for raw in (document.get("latest") or {}).get("resources") or []:
        kind = raw["type"].rsplit(":", 1)[-1]
        if kind in kinds:
            yield Recorded(kind, raw["urn"].rsplit("::", 1)[-1], raw.get("inputs") or {}, raw.get("outputs") or {})


def exports(context: Context) -> dict[str, Any]:
    """Return what the environment's stack exports: home, socket, urls, ports.

    Raises:
        UsageError: the environment is not up.
    """
    for stack in recorded(context, "Stack"):
        if "urls" in stack.outputs:
            return stack.outputs
    raise UsageError(f"{context.name} is not up: `mlstrata up {context.name}` first")


def registry_address(context: Context) -> str:
    """Return the registry's address, and let this process, and what it starts, ask there as the environment's user.

    Raises:
        UsageError: the environment is not up.
    """
    from services.registry.access import variables

    address: str = exports(context)["urls"]["mlflow"]
    os.environ.update(variables(context.home))
    return address
