"""preview, up, refresh and destroy: the engine's front door."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pulumi_embedded import lock
from pulumi_embedded import program as programs
from pulumi_embedded.backend import Backend
from pulumi_embedded.deletes import Deleter, check_supported
from pulumi_embedded.errors import Cancelled, EngineError, ProgramFailed, Protected, StepsFailed, Unsupported
from pulumi_embedded.journal import Journal
from pulumi_embedded.model import Options, Program
from pulumi_embedded.order import in_order, steps_in_order
from pulumi_embedded.passphrase import Passphrase
from pulumi_embedded.run import Closed, Run
from pulumi_embedded.secrets import SecretBox, SecretsManager
from pulumi_embedded.session import Session, open_session, salt_of, stack_outputs
from pulumi_embedded.state import ResourceState, Snapshot
from pulumi_embedded.types import Result, Step

NO_DRIFT: tuple[Step, ...] = ()

if TYPE_CHECKING:
    from pulumi_embedded.register import Registrar


def preview(program: Program, backend: Backend, options: Options | None = None) -> Result:
    """Plan: run the program, change and write nothing.

    With ``options.refresh`` every resource is read first and what differs from the state is in ``Result.drift``.

    Raises:
        EngineError: see :mod:`pulumi_embedded.errors`.
    """
    options = options or Options()
    started = time.monotonic()
    session = open_session(program, backend, options)
    with programs.environment(program, session.emit), programs.signals(session.cancel):
        snapshot, drift = session.snapshot(), NO_DRIFT
        if options.refresh:
            snapshot, drift = _read(session, snapshot)
        result = _plan(session, snapshot, strict=False, quiet=False)
    return replace(result, drift=drift, seconds=time.monotonic() - started)


def up(program: Program, backend: Backend, options: Options | None = None) -> Result:
    """Make the stack what the program says.

    The whole program is planned first (``options.preflight``), so a protected resource, a package this engine has
    no provider for, or a program that fails are told before anything changes.

    ``options.approve`` sees that same plan and may refuse it by raising.

    Raises:
        EngineError: see :mod:`pulumi_embedded.errors`; its ``result`` holds what was done before.
    """
    options = options or Options()
    started = time.monotonic()
    with _changing(program, backend, options, "update") as session:
        snapshot, drift = session.snapshot(), NO_DRIFT
        if options.refresh:
            snapshot, drift = _refresh_and_write(session, snapshot)
        if options.preflight:
            planned = _preflight(session, snapshot)
            if options.approve is not None:
                options.approve(planned)
            snapshot = session.snapshot()
        return replace(_apply(session, snapshot), drift=drift, seconds=time.monotonic() - started)


def refresh(program: Program, backend: Backend, options: Options | None = None, *, dry_run: bool = False) -> Result:
    """Read every resource and, unless ``dry_run``, bring the state in line with what is there.

    Raises:
        EngineError: see :mod:`pulumi_embedded.errors`.
    """
    options = options or Options()
    started = time.monotonic()
    if dry_run:
        session = open_session(program, backend, options)
        with programs.environment(program, session.emit), programs.signals(session.cancel):
            _, drift = _read(session, session.snapshot())
        return Result((), {}, drift, diagnostics=tuple(session.emit.diagnostics), seconds=time.monotonic() - started)
    with _changing(program, backend, options, "refresh") as session:
        _, drift = _refresh_and_write(session, session.snapshot())
        return Result((), {}, drift, diagnostics=tuple(session.emit.diagnostics))


def destroy(program: Program, backend: Backend, options: Options | None = None) -> Result:
    """Delete every resource of the stack, dependents first; the emptied state stays.

    Raises:
        EngineError: see :mod:`pulumi_embedded.errors`.
    """
    from pulumi_embedded.register import Registrar

    options = options or Options()
    started = time.monotonic()
    with _changing(program, backend, options, "destroy") as session:
        snapshot = session.snapshot()
        if options.refresh:
            snapshot, _ = _refresh_and_write(session, snapshot)
        with Journal(snapshot, session.writer(snapshot)) as journal:
            run = session.run(journal, dry_run=False)
            with _conclusion(session, run):
                check_supported(run, snapshot.resources)
                _refuse_protected(run, "destroy them")
                Registrar(run).leftovers.orphans()
                run.check_open()
                Deleter(run, journal.resources()).delete_all()
            return replace(_result(session, run, {}), seconds=time.monotonic() - started)


def outputs(project: str, stack: str, backend: Backend, passphrase: Passphrase | None = None) -> dict[str, Any]:
    """Give a stack's outputs; secrets are wrapped in :class:`pulumi_embedded.Secret`, which shows nothing until asked.

    Raises:
        EngineError: no such stack, or the passphrase does not open its secrets.
    """
    raw = backend.read(project, stack)
    found = stack_outputs(raw, _box(backend, project, stack, raw, passphrase))
    if found is None:
        message = f"{backend.path(project, stack)}: there is no stack {project}/{stack}; bring it up first"
        raise EngineError(message)
    return found


def resources(project: str, stack: str, backend: Backend, passphrase: Passphrase | None = None) -> Snapshot:
    """Give a stack's snapshot, secrets wrapped; empty when there is no such stack.

    Raises:
        EngineError: the state is corrupt, or the passphrase does not open its secrets.
    """
    raw = backend.read(project, stack)
    return Snapshot.load((raw or {}).get("latest"), _box(backend, project, stack, raw, passphrase))


def _box(
    backend: Backend, project: str, stack: str, raw: dict[str, Any] | None, passphrase: Passphrase | None
) -> SecretBox:
    given = passphrase or Passphrase.from_environment()
    return SecretBox(SecretsManager(given, salt_of(raw), str(backend.path(project, stack))))


# -- phases ---------------------------------------------------------------------------------------------------


@contextmanager
def _changing(program: Program, backend: Backend, options: Options, kind: str) -> Iterator[Session]:
    """Open a stack for change: lock, a verified passphrase, the program's environment, a history entry after."""
    started, clock = time.time(), time.monotonic()
    session = open_session(program, backend, options)
    with lock.hold(backend, program.project, program.stack) as removed:
        session.reload()
        for sentence in removed:
            session.emit.say("info", sentence)
        with programs.environment(program, session.emit), programs.signals(session.cancel):
            session.manager.verify()
            result: Result | None = None
            succeeded = False
            try:
                yield session
                succeeded = True
            except EngineError as error:
                result = error.result
                if result is not None:
                    error.result = replace(result, seconds=time.monotonic() - clock)
                raise
            finally:
                if backend.exists(program.project, program.stack):
                    session.record(kind, started, result, succeeded=succeeded)


def _read(session: Session, snapshot: Snapshot) -> tuple[Snapshot, tuple[Step, ...]]:
    from pulumi_embedded.reading import refresh as read

    with Journal(snapshot, None) as journal:
        run = session.run(journal, dry_run=True)
        fresh, drift = snapshot, NO_DRIFT
        with _conclusion(session, run):
            fresh, drift, _ = read(run, snapshot)
        return fresh, drift


def _refresh_and_write(session: Session, snapshot: Snapshot) -> tuple[Snapshot, tuple[Step, ...]]:
    fresh, drift = _read(session, snapshot)
    if drift:
        write = session.writer(fresh)
        write(fresh.resources, fresh.operations)
        session.reload()
        return session.snapshot(), drift
    return snapshot, drift


def _preflight(session: Session, snapshot: Snapshot) -> Result:
    told = len(session.emit.diagnostics)
    planned = _plan(session, snapshot, strict=True, quiet=True)
    del session.emit.diagnostics[told:]
    return planned


def _plan(session: Session, snapshot: Snapshot, *, strict: bool, quiet: bool) -> Result:
    from pulumi_embedded.register import Registrar

    with Journal(snapshot, None) as journal:
        run = session.run(journal, dry_run=True, strict=strict, quiet=quiet)
        registrar = Registrar(run)
        with _conclusion(session, run):
            _execute(session, run, registrar)
            going = [
                *registrar.left(),
                *(state for state in journal.resources() if state.delete and not _new(run, state)),
            ]
            check_supported(run, registrar.left())
            if strict:
                _refuse_protected(run, "replace or delete them")
            run.check_open()
            Deleter(run, going).delete_all()
            _refuse_protected(run, "replace or delete them")  # a plan shows every step, then refuses them as `up` would
        return _result(session, run, registrar.stack_outputs)


def _new(run: Run, state: ResourceState) -> bool:
    return state.urn in run.replaced


def _apply(session: Session, snapshot: Snapshot) -> Result:
    from pulumi_embedded.register import Registrar

    with Journal(snapshot, session.writer(snapshot)) as journal:
        run = session.run(journal, dry_run=False)
        before = {id(state) for state in journal.resources() if state.delete}
        registrar = Registrar(run)
        with _conclusion(session, run):
            _execute(session, run, registrar)
            check_supported(run, registrar.left())
            _refuse_protected(run, "delete them")
            run.check_open()
            registrar.leftovers.orphans()
            replaced = [state for state in journal.resources() if state.delete]
            silent = frozenset(id(state) for state in replaced if id(state) not in before)
            Deleter(run, [*registrar.left(), *replaced], silent).delete_all()
        return _result(session, run, registrar.stack_outputs)


def _execute(session: Session, run: Run, registrar: Registrar) -> None:
    """Run the program against the registrar."""
    from pulumi_embedded.monitor import Engine, Monitor
    from pulumi_embedded.references import References

    def outputs_of(project: str, stack: str) -> dict[str, Any] | None:
        raw = session.backend.read(project, stack)
        return stack_outputs(raw, _box(session.backend, project, stack, raw, session.options.passphrase))

    try:
        programs.execute(
            session.program,
            monitor=Monitor(run, registrar, References(run, outputs_of)),
            engine=Engine(run),
            config=session.config,
            secret_keys=sorted(session.settings.secure),
            parallel=run.parallel,
            dry_run=run.dry_run,
            root=session.settings.root,
            drain=run.drain,
        )
    except ProgramFailed as failure:
        run.drain()
        if run.closed:
            raise Closed(str(failure)) from failure
        if run.not_inspected and isinstance(
            failure.error, ArithmeticError | AssertionError | AttributeError | LookupError | TypeError | ValueError
        ):
            where = f"used at {failure.location}" if failure.location else ""
            raise run.refuse(f"the result of {', '.join(dict.fromkeys(run.not_inspected))}", where) from failure
        raise run.stop(failure) from failure
    except Unsupported as refused:
        raise run.stop(refused) from refused


def _refuse_protected(run: Run, action: str) -> None:
    if run.protected:
        raise run.stop(Protected(tuple(sorted(set(run.protected))), action))


@contextmanager
def _conclusion(session: Session, run: Run) -> Iterator[None]:
    """Let running steps end, get everything on disk, and tell the one reason the run stopped, if it did."""
    try:
        yield
    except Closed:
        pass
    except KeyboardInterrupt:
        session.cancel.request()
        error = Cancelled(hard=True)
        error.result = _result(session, run, {})
        raise error from None
    run.drain()
    try:
        run.journal.flush()
    except EngineError as error:
        run.stop(error)
    reason = _reason(session, run)
    if reason is not None:
        reason.result = _result(session, run, {})
        raise reason


def _reason(session: Session, run: Run) -> EngineError | None:
    if run.error is not None:
        return run.error
    if run.journal.error is not None:
        return run.journal.error
    if run.failures:
        return StepsFailed(tuple(run.failures))
    return Cancelled(hard=session.cancel.hard) if session.cancel.requested else None


def _result(session: Session, run: Run, found: dict[str, Any]) -> Result:
    graph = in_order(run.graph)
    steps = steps_in_order(run.steps, graph) if run.dry_run else tuple(run.steps)
    return Result(steps, found, graph=graph, diagnostics=tuple(session.emit.diagnostics))
