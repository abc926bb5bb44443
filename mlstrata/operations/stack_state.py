"""What the state records of an environment, read without its passphrase: secrets stay sealed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.services.serving.releases import Releases
    from mlstrata.services.storage.migration import Migration


# What the commands rely on, of resources whose values the state's own form says nothing about: every part must be
# there and like its example. A mapping of one "*" means any names.
_ANY = "*"
_SHAPES: dict[str, dict[str, Any]] = {
    "Ready": {"outputs": {"checks": {_ANY: {"url": ""}}}},
    "Ports": {"outputs": {"owner": "", "ports": {_ANY: 0}}},
    "Platform": {"inputs": {"spec": {_ANY: None}}},
}
_EXPORTED = {"urls": {_ANY: ""}, "socket": ""}


@dataclass(frozen=True)
class Recorded:
    """One resource of the state, with its type's own name (`Service`), logical name and values."""

    kind: str
    name: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


def recorded(deployment: Deployment, *kinds: str) -> Iterator[Recorded]:
    """Yield the recorded resources whose type's own name is one of `kinds`."""
    document = deployment.backend.read(deployment.workspace.project, deployment.name) or {}
    for raw in (document.get("latest") or {}).get("resources") or []:
        kind = raw["type"].rsplit(":", 1)[-1]
        if kind in kinds:
            found = Recorded(kind, raw["urn"].rsplit("::", 1)[-1], raw.get("inputs") or {}, raw.get("outputs") or {})
            _require(deployment, found.name, vars(found), _SHAPES.get(kind, {}))
            yield found


def exports(deployment: Deployment) -> dict[str, Any]:
    """Return what the environment's stack exports: home, socket, urls, ports.

    Raises:
        UsageError: the environment is not up.
    """
    for stack in recorded(deployment, "Stack"):
        if "urls" in stack.outputs:
            _require(deployment, "the stack's outputs", stack.outputs, _EXPORTED)
            return stack.outputs
    raise UsageError(f"{deployment.name} is not up: `mlstrata up {deployment.name}` first")


def address(deployment: Deployment, service: str) -> str:
    """Return the address of a service that the environment exports.

    Raises:
        UsageError: the environment is not up, or has no such service.
    """
    urls = exports(deployment)["urls"]
    _require(deployment, "the stack's outputs: urls", urls, {service: ""})
    return str(urls[service])


def registry_address(deployment: Deployment) -> str:
    """Return the registry's address, and let this process, and what it starts, ask there as the environment's user.

    Raises:
        UsageError: the environment is not up, or has no registry.
    """
    from mlstrata.clients.mlflow.access import variables

    found = address(deployment, "mlflow")
    os.environ.update(variables(deployment.home))
    return found


def loopback(deployment: Deployment, ports: Recorded, name: str) -> str:
    """Return the address on this machine of the port `name` of a recorded `Ports`.

    Raises:
        UsageError: the state has no such port.
    """
    _require(deployment, f"{ports.name}: outputs: ports", ports.outputs["ports"], {name: 0})
    return f"http://127.0.0.1:{int(ports.outputs['ports'][name])}"


def own_store(deployment: Deployment) -> str:
    """Return the address of the environment's own store of objects; empty where it has none."""
    for ports in recorded(deployment, "Ports"):
        if ports.outputs["owner"] == "storage":
            return loopback(deployment, ports, "s3")
    return ""


def released(deployment: Deployment, system: str) -> Releases:
    """Return what was released of a system.

    Raises:
        UsageError: the file is not what a rollout writes.
    """
    from mlstrata.services.serving.releases import Releases

    try:
        return Releases.read(deployment.home / "data/serving" / system)
    except ValueError as error:
        raise UsageError(str(error)) from None


def under_way(deployment: Deployment) -> Migration | None:
    """Return the move of the artifacts that is under way.

    Raises:
        UsageError: its journal is not what a migration writes.
    """
    from mlstrata.services.storage.migration import JOURNAL, read

    try:
        return read(deployment.home)
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"{deployment.home / JOURNAL}: not what `mlstrata migrate` writes ({reason}); restore it from a backup"
        ) from None


def _require(deployment: Deployment, where: str, found: Any, shape: Mapping[str, Any]) -> None:
    """Refuse a part of the state that is not as `shape` says.

    Raises:
        UsageError: with the part, what it holds, and how to mend it.
    """
    for name, example in shape.items():
        for key in found if name == _ANY else (name,):
            value, at = found.get(key), f"{where}: {key}"
            if isinstance(example, dict):
                if isinstance(value, dict):
                    _require(deployment, at, value, example)
                    continue
            elif example is None or _alike(value, example):
                continue
            raise UsageError(
                f"{deployment.checkpoint}: {at}: got {value!r:.40}; this is not what `mlstrata up` records: restore it "
                f"from {deployment.checkpoint.name}.bak beside it or a copy, or run `mlstrata up {deployment.name}`"
            )


def _alike(value: object, example: object) -> bool:
    kinds = (int, float) if isinstance(example, int) else type(example)
    return isinstance(value, kinds) and not isinstance(value, bool)
