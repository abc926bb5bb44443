"""One run of the engine: what every part of it shares (options, events, failures, the journal)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pulumi_embedded.dispatch import Dispatcher, ProviderError
from pulumi_embedded.errors import EngineError, Unsupported
from pulumi_embedded.journal import Journal
from pulumi_embedded.model import Cancellation
from pulumi_embedded.state import Operation, ResourceState
from pulumi_embedded.threads import heed_signals
from pulumi_embedded.types import (
    Diagnostic,
    Event,
    GraphResource,
    Op,
    PropertyChange,
    Severity,
    Step,
    StepFailed,
    StepFinished,
    StepStarted,
)


class Closed(Exception):
    """No further step may start: something failed or the run was interrupted."""


class Emitter:
    """Hands events to the listener one at a time and remembers diagnostics."""

    def __init__(self, listener: Callable[[Event], None]) -> None:
        self._listener = listener
        self._lock = threading.RLock()
        self._here = threading.local()
        self.diagnostics: list[Diagnostic] = []

    @property
    def emitting(self) -> bool:
        """Whether this thread is inside the listener right now."""
        return getattr(self._here, "inside", False)

    def __call__(self, event: Event) -> None:
        """Hand over one event."""
        with self._lock:
            if isinstance(event, Diagnostic):
                self.diagnostics.append(event)
            self._here.inside = True
            try:
                self._listener(event)
            finally:
                self._here.inside = False

    def say(self, severity: Severity, message: str, urn: str = "") -> None:
        """Hand over a diagnostic."""
        self(Diagnostic(severity, message, urn))


class Run:
    """State shared by the threads of a run.

    Args:
        dry_run: plan only; no provider changes anything and nothing is written.
        strict: refuse what ``up`` could not do, although this is a plan.
        quiet: emit no step events (a preflight).
    """

    def __init__(
        self,
        *,
        project: str,
        stack: str,
        journal: Journal,
        dispatcher: Dispatcher,
        emit: Emitter,
        cancel: Cancellation,
        parallel: int,
        dry_run: bool,
        strict: bool = False,
        quiet: bool = False,
    ) -> None:
        self.project, self.stack = project, stack
        self.journal, self.dispatcher = journal, dispatcher
        self.emit, self.cancel = emit, cancel
        self.dry_run, self.strict, self.quiet = dry_run, strict, quiet
        self.parallel = max(1, parallel)
        self.slots = threading.BoundedSemaphore(self.parallel)
        self.lock = threading.RLock()
        self.steps: list[Step] = []
        self.failures: list[StepFailed] = []
        self.graph: list[GraphResource] = []
        self.replaced: set[str] = set()
        self.protected: list[str] = []
        self.not_inspected: list[str] = []
        self.error: EngineError | None = None
        self._busy = 0
        self._idle = threading.Condition(self.lock)

    # -- whether to go on -------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether no further step may start."""
        return bool(self.failures) or self.error is not None or self.cancel.requested or self.journal.error is not None

    def check_open(self) -> None:
        """Raise when no further step may start.

        Raises:
            Closed: with the reason to show in the program.
        """
        if self.closed:
            raise Closed("the deployment is stopping")

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count a call that :meth:`drain` waits for."""
        with self.lock:
            self._busy += 1
        try:
            yield
        finally:
            with self.lock:
                self._busy -= 1
                self._idle.notify_all()

    def drain(self) -> bool:
        """Wait for running calls to end, unless the run was told to stop at once; returns whether none is left."""
        with self.lock:
            while self._busy and not self.cancel.hard:
                self._idle.wait(0.2)
                heed_signals()
            return not self._busy

    # -- what happened ----------------------------------------------------------------------------------------

    def refuse(self, feature: str, detail: str = "") -> Closed:
        """Stop the run because of a feature this engine lacks; returns what to raise."""
        with self.lock:
            if self.error is None:
                self.error = Unsupported(feature, detail)
            return Closed(str(self.error))

    def fail(self, urn: str, kind: str, op: Op, message: str) -> Closed:
        """Record a failed step; returns what to raise."""
        failure = StepFailed(urn, kind, op, message)
        with self.lock:
            self.failures.append(failure)
        if not self.quiet:
            self.emit(failure)
        return Closed(f"{failure.name}: {op} failed: {message}")

    def stop(self, error: EngineError) -> Closed:
        """Stop the run because of an error of the engine itself; returns what to raise."""
        with self.lock:
            self.error = self.error or error
        return Closed(str(error))

    def stop_unexpected(self, error: Exception) -> None:
        """Stop the run because of a defect of the engine; the exception keeps its traceback as the cause."""
        wrapped = EngineError(f"unexpected {type(error).__name__} in the engine: {error}; please report it")
        wrapped.__cause__ = error
        self.stop(wrapped)

    def finish(
        self,
        state: ResourceState,
        op: Op,
        diff: tuple[PropertyChange, ...] = (),
        seconds: float = 0.0,
        *,
        estimated: bool = False,
    ) -> None:
        """Record a step that is done (or planned)."""
        step = Step(state.urn, state.type, op, diff, seconds, estimated)
        with self.lock:
            self.steps.append(step)
        if not self.quiet:
            self.emit(StepFinished(step))

    def perform(self, operation: Operation, op: Op, call: Callable[[], None], *, announce: bool = True) -> float:
        """Call a provider: pending operation on disk first, then the call; returns seconds.

        The caller records the end with :meth:`Journal.end`, which clears the operation.

        Raises:
            Closed: the run is stopping, the provider failed, or the state cannot be written.
        """
        state = operation.resource
        with self.slots:
            self.check_open()
            try:
                self.journal.begin(operation)
            except EngineError as error:
                raise self.stop(error) from error
            if announce and not self.quiet:
                self.emit(StepStarted(state.urn, state.type, op))
            started = time.monotonic()
            try:
                call()
            except ProviderError as error:
                self.record(operation)
                raise self.fail(state.urn, state.type, op, str(error)) from error
            return time.monotonic() - started

    def record(
        self,
        *operations: Operation,
        add: ResourceState | None = None,
        drop: ResourceState | None = None,
        retire: ResourceState | None = None,
        wait: bool = True,
    ) -> None:
        """Record the end of a step; see :meth:`Journal.end`.

        Raises:
            Closed: the state cannot be written.
        """
        try:
            self.journal.end(*operations, add=add, drop=drop, retire=retire, wait=wait)
        except EngineError as error:
            raise self.stop(error) from error
