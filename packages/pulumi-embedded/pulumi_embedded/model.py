"""The public vocabulary: what to run, how to run it, what happened."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pulumi_embedded.secrets import Passphrase

Value = Any  # a property value: JSON-like, with Secret and UNKNOWN inside
Message = Any  # a protobuf message; protobuf makes its classes at run time

Op = Literal["same", "create", "update", "replace", "delete", "read"]
Severity = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True)
class Program:
    """A Pulumi program and the stack it is run for.

    Attributes:
        project: Pulumi project name.
        stack: stack name.
        main: folder with ``__main__.py``, or a Python file. It is the working directory and first on ``sys.path``
            while the engine runs, as under the CLI.
        config: configuration, plain values by key ("key" or "namespace:key"); wins over the stack's settings file.
        root: folder of ``Pulumi.yaml``; default: the nearest one above ``main``, else ``main``.
        settings: the stack's settings file; default ``Pulumi.<stack>.yaml`` where ``Pulumi.yaml`` says.
    """

    project: str
    stack: str
    main: Path
    config: Mapping[str, str] = field(default_factory=dict)
    root: Path | None = None
    settings: Path | None = None


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

    ``inputs`` are plain values with :class:`engine.Secret` and :data:`engine.UNKNOWN` inside. ``options`` holds
    what was set of: protect, ignore_changes, replace_on_changes, delete_before_replace, retain_on_delete,
    deleted_with, aliases, additional_secret_outputs, custom_timeouts, import_id, version.
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


class Cancellation:
    """Asks a run to stop: once lets running steps finish, twice stops at once."""

    def __init__(self) -> None:
        self._asked = 0
        self.event = threading.Event()

    def request(self) -> int:
        """Ask once more; returns how often it has been asked."""
        self._asked += 1
        self.event.set()
        return self._asked

    @property
    def requested(self) -> bool:
        """Whether the run should start no further step."""
        return self._asked > 0

    @property
    def hard(self) -> bool:
        """Whether the run should not even wait for running steps."""
        return self._asked > 1


def ignore(_event: Event) -> None:
    """Default listener: does nothing."""


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        parallel: most provider calls at one time.
        refresh: read every resource first (a preview then reports drift without writing it).
        passphrase: opens the stack's secrets; default: ``PULUMI_CONFIG_PASSPHRASE`` or ``_FILE``.
        on_event: called with each event, one at a time, from any thread.
        cancel: lets a caller stop the run; the engine makes one and ties it to SIGINT and SIGTERM otherwise.
        preflight: plan the whole program before ``up`` changes anything, so what is refused is refused first.
        approve: called with that plan before ``up`` changes any resource; what it raises ends the run there.
    """

    parallel: int = 64
    refresh: bool = False
    passphrase: Passphrase | None = None
    on_event: Callable[[Event], None] = ignore
    cancel: Cancellation | None = None
    preflight: bool = True
    approve: Callable[[Result], None] | None = None
