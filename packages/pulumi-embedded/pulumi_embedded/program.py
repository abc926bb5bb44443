"""Runs a Pulumi program in this process, as the CLI's language host would, and puts everything back after."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import io
import os
import re
import runpy
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from pulumi_embedded.errors import EngineError, ProgramFailed, Unsupported
from pulumi_embedded.model import Cancellation, Program
from pulumi_embedded.run import Emitter
from pulumi_embedded.threads import DaemonPool

_REFUSED = re.compile(r"The Pulumi CLI does not support (?:the )?(.+?)\. Please update")
_SDK = ("pulumi", "runpy", "asyncio", "concurrent", "grpc", "google")


@contextlib.contextmanager
def environment(program: Program, emit: Emitter) -> Iterator[None]:
    """Give the working directory, ``sys.path``, arguments and stdout the program expects.

    Providers are unpickled by module name, so refresh and destroy need this too. Modules that were imported from
    the program's folder are forgotten after, so that the next program can have its own of the same names.

    Raises:
        EngineError: there is no such program.
    """
    folder = program.main if program.main.is_dir() else program.main.parent
    if not folder.is_dir() or not _entry(program).is_file():
        message = f"{_entry(program)}: there is no program here"
        raise EngineError(message)
    folder = folder.resolve()
    before, path, arguments, present = Path.cwd(), list(sys.path), list(sys.argv), set(sys.modules)
    sys.path.insert(0, str(folder))
    sys.argv = [str(_entry(program))]
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(_Prints(emit, sys.stdout)), warnings.catch_warnings():
            # The SDK drops coroutines of outputs when a step fails; the failure itself is told.
            warnings.filterwarnings("ignore", message="coroutine 'Output", category=RuntimeWarning)
            yield
    finally:
        os.chdir(before)
        sys.path[:] = path
        sys.argv = arguments
        for name in set(sys.modules) - present:
            if _is_own(name.split(".", 1)[0], folder):
                del sys.modules[name]


def _entry(program: Program) -> Path:
    return program.main / "__main__.py" if program.main.is_dir() else program.main


def _is_own(top: str, folder: Path) -> bool:
    """Whether a top-level module was found through the program's folder."""
    file = getattr(sys.modules.get(top), "__file__", None)
    return bool(file) and Path(str(file)) in (folder / f"{top}.py", folder / top / "__init__.py")


class _Prints(io.TextIOBase):
    """Turns the program's prints into diagnostics; the listener's own prints go to the real stdout."""

    def __init__(self, emit: Emitter, real: TextIO) -> None:
        self._emit, self._real, self._line = emit, real, ""

    def write(self, text: str) -> int:
        if self._emit.emitting:
            self._real.write(text)
            return len(text)
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._emit.say("info", line)
        return len(text)

    def flush(self) -> None:
        if self._emit.emitting:
            self._real.flush()

    def isatty(self) -> bool:
        return bool(self._emit.emitting and self._real.isatty())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return str(getattr(self._real, "encoding", None) or "utf-8")

    def fileno(self) -> int:
        return int(self._real.fileno())


def execute(
    program: Program,
    *,
    monitor: object,
    engine: object,
    config: Mapping[str, str],
    secret_keys: list[str],
    parallel: int,
    dry_run: bool,
    root: Path,
    drain: Callable[[], bool],
) -> None:
    """Run the program to its end inside :func:`environment`.

    ``drain`` waits for running steps after a failure and tells whether none is left.

    Raises:
        ProgramFailed: it raised.
        Unsupported: it used what the SDK found not to be advertised.
        KeyboardInterrupt: the run is to stop at once.
    """

    def inside() -> None:
        from pulumi.runtime import Settings, configure, run_in_stack
        from pulumi.runtime.config import set_all_config
        from pulumi.runtime.settings import ROOT

        ROOT.set(None)
        settings = Settings(
            project=program.project,
            stack=program.stack,
            organization="organization",
            monitor=monitor,
            engine=engine,
            parallel=parallel,
            dry_run=dry_run,
            root_directory=str(root),
        )
        configure(settings)
        set_all_config(dict(config), secret_keys)
        _drive(run_in_stack(lambda: _run(program)), parallel, drain)

    try:
        with _no_frames():
            contextvars.copy_context().run(inside)
    except (KeyboardInterrupt, EngineError):
        raise
    except BaseException as error:
        if isinstance(error, SystemExit) and error.code in (0, None):
            return
        refused = _REFUSED.search(str(error))
        if refused is not None:
            raise Unsupported(refused.group(1)) from error
        raise ProgramFailed(error, _location(error, program)) from error


async def _run(program: Program) -> None:
    """Run the program, then wait until what it registered is through.

    The SDK would wait itself, for all that is open after each one that ends: the square of a large program's size.
    """
    from pulumi.runtime.settings import _get_rpc_manager

    runpy.run_path(str(program.main), run_name="__main__")
    calls = _get_rpc_manager().rpcs  # the SDK takes them off, and raises what they raised, when we are done
    seen = -1
    while seen < len(calls):
        seen = len(calls)
        await asyncio.sleep(0)  # what was registered last is called now
        if calls:
            await asyncio.wait([asyncio.ensure_future(call) for call in calls])


@contextlib.contextmanager
def _no_frames() -> Iterator[None]:
    """Spare the SDK the stack of frames behind each resource, which only the CLI would show: a fifth of a plan."""
    missing = object()
    former = getattr(sys, "tracebacklimit", missing)
    sys.tracebacklimit = 1
    try:
        yield
    finally:
        if former is missing:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = former  # type: ignore[assignment]


def _drive(main: Coroutine[Any, Any, None], parallel: int, drain: Callable[[], bool]) -> None:
    """Run a coroutine on a loop of its own with a pool wide enough for every step at once."""
    loop = asyncio.new_event_loop()
    pool = DaemonPool(parallel + 8)
    loop.set_default_executor(pool)
    loop.set_exception_handler(lambda _loop, _context: None)  # failures of steps are recorded elsewhere
    asyncio.set_event_loop(loop)
    try:
        with _woken_by_signals(loop):
            loop.run_until_complete(main)
    finally:
        idle = drain()
        with contextlib.suppress(Exception):
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks, timeout=2))
            loop.run_until_complete(loop.shutdown_asyncgens())
        pool.shutdown()
        asyncio.set_event_loop(None)
        if idle:  # else abandoned threads would report to a closed loop
            loop.close()


@contextlib.contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have a signal wake the loop, which runs its handler.

    The kernel gives a process's signal to whichever thread it likes, mostly the main one. Another one only notes it for
    the main thread, which may wait for a step that ends no more.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = socket.socketpair()
    with heard, told:
        heard.setblocking(False)
        told.setblocking(False)
        loop.add_reader(heard, heard.recv, 4096)
        former = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(former)
            loop.remove_reader(heard)


def _location(error: BaseException, program: Program) -> str:
    """Find where in the project an exception came from: its own deepest frame, else the deepest not of an SDK."""
    main = (program.main if program.main.is_dir() else program.main.parent).resolve()
    folder = next((above for above in (main, *main.parents) if (above / "Pulumi.yaml").is_file()), main)
    own = other = ""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    for link in chain:
        for frame in traceback.extract_tb(link.__traceback__):
            place = f"{frame.filename}:{frame.lineno}"
            if Path(frame.filename).is_relative_to(folder) and "site-packages" not in frame.filename:
                own = place
            elif not _is_sdk(frame.filename):
                other = place
        if own:
            return own
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    return other


def _is_sdk(filename: str) -> bool:
    if filename.startswith("<") or str(Path(__file__).parent) in filename:
        return True
    parts = Path(filename).parts
    return any(part.removesuffix(".py") in _SDK or part.startswith("python3") for part in parts)


@contextlib.contextmanager
def signals(cancel: Cancellation) -> Iterator[None]:
    """Tie SIGINT and SIGTERM to a cancellation: the first lets running steps end, the second stops at once.

    A signal that this process was started to ignore, as by ``nohup``, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        if cancel.request() > 1:
            raise KeyboardInterrupt

    heeded = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is not signal.SIG_IGN]
    former = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
