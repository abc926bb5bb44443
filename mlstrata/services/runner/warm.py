"""Runs a step as a fork of a process that has imported what steps import: that takes longer than most of them do.

kfp.local starts a shell and a fresh interpreter for each step. Here a step still is a process of its own, which ends
with it, but it starts with pandas, scikit-learn and MLflow at hand. What was imported is all that steps share.

`python -m mlstrata.services.runner.warm FD` is that process: on the socket FD it says when it is ready, then
takes a step at a time, with the pipe that its output goes to, and answers with its exit
code. It ends with whoever holds the other end.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlstrata.kubeflow_sdk import import_sdk

EXECUTOR = "kfp.dsl.executor_main"
IMPORTED = (EXECUTOR, "mlstrata_steps.estimator", "pandas", "skops.io", "mlflow.sklearn")
_SHAPE = ("sh", "-ec")
_SOURCE = "ephemeral_component.py"
_READY, _TAKEN = b"ready\n", b"taken\n"
_WORD = 64
_PYTHON = re.compile(r"(?<![\w./-])python3(?![\w./-])")
Runner = Callable[..., int]


@contextlib.contextmanager
def warmed(*, at_once: bool = False, python: str = sys.executable) -> Iterator[None]:
    """Have kfp.local run its steps this way until the block ends.

    Until everything is imported, and where a step is no Python function, they run in kfp's own way.

    Args:
        at_once: Begin to import now and let the first step wait for it, as where every step is known to run: each that
            does not wait imports most of it for itself.
        python: The interpreter that steps run in.
    """
    with contextlib.ExitStack() as held:
        ours: socket.socket | None = held.enter_context(_importing(python)) if at_once else None
        ready = False
        import_sdk()
        from kfp.local import subprocess_task_handler as handler

        cold: Runner = handler.run_local_subprocess
        replaced = handler.replace_python_executable

        def run(full_command: list[str], env_vars: Mapping[str, str] | None = None) -> int:
            nonlocal ours, ready
            if ours is None:
                # Not before there is a step to run: a run whose steps are all cached has nothing to import for.
                ours = held.enter_context(_importing(python))
            ready = ready or _is_ready(ours, wait=at_once)
            if not ready or (step := _step(full_command)) is None:
                return cold(full_command=full_command, env_vars=env_vars)
            try:
                return _ask(ours, step, {**os.environ, **(env_vars or {})})
            except OSError:
                # It is gone, and has not taken the step.
                return cold(full_command=full_command, env_vars=env_vars)

        handler.run_local_subprocess = run
        handler.replace_python_executable = lambda command, _own: with_interpreter(command, python)
        try:
            yield
        finally:
            handler.run_local_subprocess, handler.replace_python_executable = cold, replaced


def with_interpreter(full_command: Sequence[str], new_executable: str) -> list[str]:
    """Put an interpreter in the place of the command `python3`.

    Not wherever these letters stand, as kfp does: a step's arguments hold paths such as `lib/python3.11/site-packages`.
    """
    source = next((at + 1 for at, one in enumerate(full_command) if _SOURCE in one), len(full_command))
    return [
        one if at >= source else _PYTHON.sub(lambda _found: new_executable, one) for at, one in enumerate(full_command)
    ]


@contextlib.contextmanager
def _importing(python: str) -> Iterator[socket.socket]:
    """Have the process that imports until the block ends; gives the socket to it, which does not block yet."""
    ours, its = socket.socketpair()
    with ours, its:
        process = subprocess.Popen(
            [python, "-m", __name__, str(its.fileno())], pass_fds=(its.fileno(),), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        its.close()
        ours.setblocking(False)
        try:
            yield ours
        finally:
            process.kill()
            process.wait()


def _is_ready(ours: socket.socket, *, wait: bool) -> bool:
    with contextlib.suppress(OSError):
        ours.setblocking(wait)
        if ours.recv(len(_READY)) == _READY:
            ours.setblocking(True)
            return True
    return False


def _step(command: Sequence[str]) -> dict[str, Any] | None:
    """Return a Python function's source and the executor's arguments; None of a command of another shape.

    kfp compiles it to `sh -ec SCRIPT SOURCE ARGUMENT…`, where the script writes the source to a file and has the
    executor load that.
    """
    if tuple(command[:2]) != _SHAPE or len(command) < len(_SHAPE) + 3:
        return None
    script, source, *arguments = command[len(_SHAPE) :]
    return {"source": source, "arguments": arguments} if EXECUTOR in script and _SOURCE in script else None


def _ask(ours: socket.socket, step: Mapping[str, Any], environment: Mapping[str, str]) -> int:
    """Have a step run, write what it says to standard output, and return its exit code; negative: by which signal.

    Raises:
        OSError: the step cannot be handed over.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8", errors="replace") as said:
        request = json.dumps({**step, "environment": dict(environment)}).encode()
        try:
            socket.send_fds(ours, [f"{len(request):<{_WORD}}".encode()], [writing])
            ours.sendall(request)
            if ours.recv(len(_TAKEN)) != _TAKEN:
                raise OSError("no process takes the step")
        finally:
            os.close(writing)
        for line in said:
            sys.stdout.write(line)
    # As kfp does: what one step printed ends here.
    sys.stdout.write("\n\n")
    answer = b""
    with contextlib.suppress(OSError):
        answer = ours.recv(_WORD)
    return int(answer) if answer else -1


def _serve(its: socket.socket) -> None:
    """Import, say so, and run a step at a time until nobody asks any more."""
    os.environ["_KFP_RUNTIME"] = "true"  # by which Kubeflow's SDK imports what a step needs and no more
    for name in IMPORTED:
        # What is not installed, a step that needs it will miss with a word of its own.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    its.sendall(_READY)
    while True:
        head, descriptors, *_ = socket.recv_fds(its, _WORD, 1)
        if not head:
            return None
        request = _read(its, int(head))
        its.sendall(_TAKEN)
        child = os.fork()
        if not child:
            its.close()
            # From here on as any interpreter: an error or an exit code leaves through the one way out below.
            return _become(request, descriptors[0])
        os.close(descriptors[0])
        _, status = os.waitpid(child, 0)
        its.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _read(its: socket.socket, size: int) -> dict[str, Any]:
    with its.makefile("rb", buffering=0) as stream:
        text = b""
        while len(text) < size:
            text += stream.read(size - len(text)) or sys.exit(1)
    found: dict[str, Any] = json.loads(text)
    return found


def _become(request: Mapping[str, Any], output: int) -> None:
    """Be the step, with its own output, environment and folder for its source."""
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(output, descriptor)
    os.close(output)
    os.environ.clear()
    os.environ.update(request["environment"], _KFP_RUNTIME="true")
    tempfile.tempdir = None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / _SOURCE
        path.write_text(request["source"], encoding="utf-8")
        sys.argv = [EXECUTOR, "--component_module_path", str(path), *request["arguments"]]
        importlib.import_module(EXECUTOR).executor_main()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
