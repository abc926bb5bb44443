"""Runs one of our modules as a job in a process of its own; both sides of the one protocol between them.

A job writes JSON objects to its standard output, one a line: progress while it works, and last one with `result` and
`error`, of which exactly one is null. It reads its standard input until that ends, which is when its caller is gone,
and then ends with all that it has started. Its standard error is its log.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.environments.installation import interpreter

if TYPE_CHECKING:
    from pydantic import BaseModel

ATTACHED = "--attached"
"""The option of a job that has a caller."""
_GRACE = 10.0
"""Seconds that a job has to end after its last line."""


@dataclass(frozen=True)
class Result:
    """How a job ended.

    Attributes:
        value: What it returned; None when it failed.
        error: Why it failed; None when it did not.
    """

    value: dict[str, Any] | None
    error: str | None


def run(
    module: str,
    settings: BaseModel | Mapping[str, Any] | None = None,
    on_progress: Callable[[dict[str, Any]], object] = lambda _line: None,
    *,
    arguments: Sequence[str] = (),
    log: Path | None = None,
    seconds: float | None = None,
) -> Result:
    """Run a job to its end; it is killed with its caller.

    Args:
        module: What `python -m` takes.
        settings: Given as a file named by `--settings`; None for a job that takes none.
        on_progress: Called with each line but the last.
        arguments: Further arguments.
        log: The file to which the job's standard error is added; a temporary one by default, kept only where a job
            ends without an error message.
        seconds: How long it may take; None for as long as it needs.
    """
    last: dict[str, Any] = {}
    with contextlib.closing(lines(module, settings, arguments=arguments, log=log, seconds=seconds)) as told:
        for line in told:
            if is_last(line):
                last = line
            else:
                on_progress(line)
    return Result(last["result"], last["error"])


def lines(
    module: str,
    settings: BaseModel | Mapping[str, Any] | None = None,
    *,
    arguments: Sequence[str] = (),
    log: Path | None = None,
    seconds: float | None = None,
) -> Generator[dict[str, Any]]:
    """Run a job as `run` does; yield each of its lines, the last one too. Closing the generator kills the job."""
    with contextlib.ExitStack() as held:
        scratch = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="mlstrata-job-")))
        kept = log or scratch / "job.log"
        kept.parent.mkdir(parents=True, exist_ok=True)
        written = held.enter_context(kept.open("ab"))
        options = [*arguments, ATTACHED]
        if settings is not None:
            file = scratch / "settings.json"
            file.write_text(_json(settings), encoding="utf-8")
            options += ["--settings", str(file)]
        process = held.enter_context(
            subprocess.Popen(
                command(module, *options),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=written,
                env=environment(),
                # An interruption at the terminal reaches the caller alone, which ends the job with all it started.
                start_new_session=True,
            )
        )
        held.callback(kill, process.pid)
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            kill(process.pid)

        if seconds is not None:
            timer = threading.Timer(seconds, expire)
            timer.daemon = True
            timer.start()
            held.callback(timer.cancel)
        for line in filter(None, map(parsed, process.stdout or ())):
            if is_last(line):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_GRACE)
                yield line
                return
            yield line
        code = process.wait()
        if log is None:
            kept = _moved(kept, module)
        error = f"the job took over {seconds:g} s; log: {kept}" if expired.is_set() else silent(code, kept)
        yield {"result": None, "error": error}


def command(module: str, *arguments: str) -> list[str]:
    """Return the command of a job: this installation's interpreter and one of our modules."""
    return [str(interpreter()), "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return the variables of a job: no module of the folder it starts in takes the place of one that it imports."""
    return {**os.environ, "PYTHONSAFEPATH": "1"}


def parsed(line: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object in a line of a job; None of anything else, such as what a library prints."""
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def is_last(line: Mapping[str, Any]) -> bool:
    """Say whether a line is a job's last one."""
    return "result" in line and "error" in line


def silent(code: int, log: Path) -> str:
    """Return the error of a job that exited without one; a signal counts as 128 and its number, as in a shell."""
    return f"the job exited with code {code if code >= 0 else 128 - code} and no error message; log: {log}"


def kill(group: int) -> None:
    """Kill a job, by its process id, with all that it has started and that is in its process group."""
    # The group lives on with the job's children when the job itself is gone.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def tell(line: Mapping[str, Any]) -> None:
    """Write a line from within a job: to the original standard output, whatever a library has put in its place."""
    print(json.dumps(line), file=sys.__stdout__, flush=True)


def finish(value: Mapping[str, Any], **more: object) -> int:
    """Write the last line of a job that returns `value`; return its exit code, 0."""
    tell({"result": value, "error": None, **more})
    return 0


def fail(error: str, code: int = 1, **more: object) -> int:
    """Write the last line of a job that failed; return its exit code: 2 when it was asked for what makes no sense."""
    tell({"result": None, "error": error, "code": code, **more})
    return code


def end_with_caller() -> None:
    """Have this job end, with all that it starts, once the other end of its standard input is closed."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # a group of its own: to end it must not end the caller's
    threading.Thread(target=_wait_for_caller, daemon=True).start()


def _wait_for_caller() -> None:
    # Not sys.stdin: its lock would keep the interpreter from ending.
    with contextlib.suppress(OSError):
        while os.read(0, 1):
            pass
    kill(os.getpgrp())


def _json(settings: BaseModel | Mapping[str, Any]) -> str:
    return json.dumps(settings) if isinstance(settings, Mapping) else settings.model_dump_json()


def _moved(log: Path, module: str) -> Path:
    """Put a log where it outlives the job's folder."""
    handle, name = tempfile.mkstemp(prefix=f"{module}-", suffix=".log")
    with os.fdopen(handle, "wb") as file:
        file.write(log.read_bytes())
    return Path(name)
