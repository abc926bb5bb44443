"""What the engine speaks of: values, steps, events, the graph and the result of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Value = Any  # a property value: JSON-like, with Secret and UNKNOWN inside
Message = Any  # a protobuf message; protobuf makes its classes at run time

Op = Literal["same", "create", "update", "replace", "delete", "read"]
Severity = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True)
class PropertyChange:
    """One property that differs: ``path`` like ``spec.ports[0].port``; secret values are never shown by repr."""

    path: str
    old: Value
    new: Value
    secret: bool = False


@dataclass(frozen=True)
class Step:
    """One resource's step. ``seconds`` is the time its provider took (0 in a preview).

    ``estimated``: compared without its provider, on the keys the program sets only.
    """

    urn: str
    type: str
    op: Op
    diff: tuple[PropertyChange, ...] = ()
    seconds: float = 0.0
    estimated: bool = False

    @property
    def name(self) -> str:
        """The resource's own name, last part of its URN."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True)
class StepStarted:
    """A provider is being called for this resource."""

    urn: str
    type: str
    op: Op

    @property
    def name(self) -> str:
        """The resource's own name, last part of its URN."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True)
class StepFinished:
    """A step is done and recorded in the state (or planned, in a preview)."""

    step: Step


@dataclass(frozen=True)
class StepFailed:
    """A step failed; ``message`` is the provider's own, without a traceback."""

    urn: str
    type: str
    op: Op
    message: str

    @property
    def name(self) -> str:
        """The resource's own name, last part of its URN."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True)
class Diagnostic:
    """A message of the program (print, pulumi.log) or of the engine; ``urn`` is "" when it is of no resource."""

    severity: Severity
    message: str
    urn: str = ""


Event = StepStarted | StepFinished | StepFailed | Diagnostic


@dataclass(frozen=True)
class GraphResource:
    """A resource as the program registered it.

    ``inputs`` are plain values with :class:`pulumi_embedded.Secret` and :data:`pulumi_embedded.UNKNOWN` inside.
    ``options`` holds what was set of: protect, ignore_changes, replace_on_changes, delete_before_replace,
    retain_on_delete, deleted_with, aliases, additional_secret_outputs, custom_timeouts, import_id, version.
    """

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    remote: bool
    inputs: Mapping[str, Any]
    provider: str
    options: Mapping[str, Any]
    dependencies: tuple[str, ...]
    property_dependencies: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Result:
    """What a run did (or, for a preview, would do)."""

    steps: tuple[Step, ...]
    outputs: Mapping[str, Any]
    drift: tuple[Step, ...] = ()
    graph: tuple[GraphResource, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    seconds: float = 0.0

    @property
    def counts(self) -> dict[str, int]:
        """Number of steps by operation; operations that did not occur are absent."""
        found: dict[str, int] = {}
        for step in self.steps:
            found[step.op] = found.get(step.op, 0) + 1
        return found

    @property
    def changes(self) -> int:
        """Number of steps that change something."""
        return sum(1 for step in self.steps if step.op not in ("same", "read"))
