"""What the state records of an environment, read once and without its passphrase: secrets stay sealed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    import pulumi_embedded

Port = Annotated[int, Field(ge=1, le=65535)]
_SHOWN = 40
Shape = TypeVar("Shape")


@dataclass(frozen=True)
class LocalOutputs:
    """What the stack of an environment on this machine exports.

    Attributes:
        socket: Its supervisor's unix socket.
        urls: Address by what answers there: gateway, mlflow, runner, ...
        ports: Loopback port by service and name.
    """

    socket: Path
    urls: Mapping[str, str]
    ports: Mapping[str, Mapping[str, Port]] = field(default_factory=dict)

    def loopback(self, service: str, port: str = "http") -> str:
        """Return the address on this machine of a service's port; empty where the environment has none."""
        found = self.ports.get(service, {}).get(port)
        return f"http://127.0.0.1:{found}" if found else ""


@dataclass(frozen=True)
class ClusterOutputs:
    """What the stack of an environment on a cluster exports.

    Attributes:
        context: The kubeconfig's context that it was deployed to.
        namespaces: Namespace by whose it is: `platform`, and each system.
        urls: Address inside the cluster by what answers there.
    """

    context: str
    namespaces: Mapping[str, str]
    urls: Mapping[str, str]


class _Checked(TypedDict):
    url: str


@dataclass(frozen=True)
class _Waited:
    """The outputs of a `Ready`: what it asks of each service, and the seconds each took when it was last started."""

    checks: Mapping[str, _Checked]
    took: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Declared:
    """The inputs of a `Platform` or a `Substrate`: what the environment's file said when it was deployed."""

    spec: Mapping[str, Any]


@dataclass(frozen=True)
class Recorded:
    """One resource of the state, with its type's own name (`Service`), logical name and values."""

    kind: str
    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class State:
    """An environment's checkpoint.

    Attributes:
        environment: Whose it is.
        file: Where it lies.
        resources: Every resource that it records, in its own order.
    """

    environment: str
    file: Path
    resources: tuple[Recorded, ...]

    @classmethod
    def read(cls, backend: pulumi_embedded.Backend, project: str, environment: str) -> State:
        """Read the checkpoint of an environment; none is one without resources.

        Raises:
            CorruptCheckpoint: it is not a checkpoint.
        """
        document = backend.read(project, environment) or {}
        resources = (document.get("latest") or {}).get("resources") or []
        return cls(environment, backend.path(project, environment), tuple(map(_recorded, resources)))

    def of(self, kind: str) -> Iterator[Recorded]:
        """Yield the resources whose type's own name is `kind`."""
        return (one for one in self.resources if one.kind == kind)

    def outputs(self, kind: type[Shape]) -> Shape:
        """Return what the environment's stack exports.

        Raises:
            UsageError: the environment is not up, or the state is damaged.
        """
        for stack in self.of("Stack"):
            if "urls" in stack.outputs:
                return self._read(kind, stack.outputs, "the stack's outputs")
        raise UsageError(f"{self.environment} is not up: `mlstrata up {self.environment}` first")

    @cached_property
    def waited(self) -> tuple[Mapping[str, Mapping[str, Any]], Mapping[str, float]]:
        """Return what is asked of each service before it counts as ready, and the seconds that each took.

        Raises:
            UsageError: the state is damaged.
        """
        checks: dict[str, Mapping[str, Any]] = {}
        took: dict[str, float] = {}
        for one in self.of("Ready"):
            took |= self._read(_Waited, one.outputs, f"{one.name}: outputs").took
            checks |= one.outputs["checks"]
        return checks, took

    @cached_property
    def declared(self) -> dict[str, Any]:
        """Return what the environment's file said when it was deployed, its systems included; empty before that.

        Raises:
            UsageError: the state is damaged.
        """
        for one in (*self.of("Platform"), *self.of("Substrate")):
            spec = self._read(_Declared, one.inputs, f"{one.name}: inputs").spec
            return {**spec, "systems": [dict(system.inputs) for system in self.of("AISystem")]}
        return {}

    def damaged(self, where: str, found: object) -> UsageError:
        """Return the error that names a part of the state which no deployment records."""
        return UsageError(
            f"{self.file}: {where}: got {found!r:.{_SHOWN}}; this is not what `mlstrata up` records: restore it "
            f"from {self.file.name}.bak beside it or a copy, or run `mlstrata up {self.environment}`"
        )

    def _read(self, kind: type[Shape], values: Mapping[str, Any], where: str) -> Shape:
        try:
            return TypeAdapter(kind).validate_python(dict(values))
        except ValidationError as errors:
            first = errors.errors()[0]
            raise self.damaged(": ".join((where, *map(str, first["loc"]))), _at(values, first["loc"])) from None


def _at(values: Any, place: tuple[int | str, ...]) -> Any:
    """Return what stands at a place; None where it is missing."""
    for key in place:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _recorded(raw: Mapping[str, Any]) -> Recorded:
    return Recorded(
        raw["type"].rsplit(":", 1)[-1],
        raw["urn"].rsplit("::", 1)[-1],
        raw.get("inputs") or {},
        raw.get("outputs") or {},
    )
