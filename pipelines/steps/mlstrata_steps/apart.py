"""An object in a process of its own: one version of somebody's package beside another, which one process cannot hold.

Python keeps one module of a name in a process, so the second version of a package would run the first one's code. What
is made here sees the code that came with it: not the workspace's, and nothing that another version has imported.

`python -m mlstrata_steps.apart FD` is that process. It ends with whoever holds the other end of the socket FD.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import traceback
import weakref
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from mlstrata_steps.own import WORKSPACE

_PATIENCE = 5.0
"""Seconds that a process has to end once nobody asks it any more; it may be computing."""
_OURS = ("mlstrata", "mlstrata_steps")


class OwnCodeError(Exception):
    """What ran in the other process failed; the message is its own, and its traceback is on standard error."""


class Apart:
    """What a function makes, in a process of its own. Safe to ask from several threads, one after the other.

    A process that ended, as by a lack of memory, is started anew by the next question, which is asked twice at most.
    """

    def __init__(self, maker: str, *arguments: object) -> None:
        """Make it.

        Args:
            maker: `module:function`, which is called with the arguments.
            arguments: As pickle carries them.

        Raises:
            OwnCodeError: It cannot be made, or the process ended.
            Exception: What was raised, where its class is one of ours.
        """
        self._wanted = (maker, arguments)
        self._turn = threading.Lock()
        self._process: _Process | None = None
        with self._turn:
            self._begun()

    def ask(self, method: str, *arguments: object) -> Any:
        """Call a method there; what it returns must be such that pickle carries it.

        Raises:
            OwnCodeError: It failed, or the process ended twice.
            Exception: What was raised, where its class is one of ours.
        """
        with self._turn:
            try:
                return self._begun().ask(method, arguments)
            except _EndedError:
                self._process = None  # it is asked once more, of another one
            try:
                return self._begun().ask(method, arguments)
            except _EndedError as error:
                self._process = None
                raise OwnCodeError(str(error)) from None

    def close(self) -> None:
        """End the process, where waiting for whoever asks last is too long."""
        with self._turn:
            if self._process is not None:
                self._process.close()
                self._process = None

    def _begun(self) -> _Process:
        if self._process is None:
            process = _Process()
            # It ends with the last one who could ask it.
            weakref.finalize(self, process.close)
            try:
                process.ask(*self._wanted)
            except _EndedError as error:
                raise OwnCodeError(str(error)) from None
            except BaseException:
                process.close()
                raise
            self._process = process
        return self._process


class _EndedError(Exception):
    """The process is gone."""


class _Process:
    """The other process, with the way to it."""

    def __init__(self) -> None:
        ours, its = socket.socketpair()
        # No compiled files beside the code of a model: its digest is of all its files.
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop(WORKSPACE, None)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(its.fileno())],
                pass_fds=(its.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a model's code prints is not for whoever reads our lines
                env=environment,
            )
        self._way = Connection(ours.detach())

    def ask(self, what: str, arguments: tuple[object, ...]) -> Any:
        try:
            self._way.send((what, arguments))
            failed, value = self._way.recv()
        except (EOFError, OSError):
            self.close()
            raise _EndedError(f"its process ended with code {self._process.returncode}") from None
        except BaseException:
            self.close()  # what it answers now is nobody's any more
            raise
        if failed:
            raise value
        return value

    def close(self) -> None:
        self._way.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _carried(error: Exception) -> Exception:
    """Return an error as the asking process can have it: of a class of ours, else its words."""
    if type(error).__module__.partition(".")[0] in _OURS:
        try:
            return pickle.loads(pickle.dumps(error))  # type: ignore[no-any-return] # noqa: S301 - made a moment ago
        except Exception:  # noqa: BLE001, S110 - such as of one that is made of more than its message
            pass
    traceback.print_exception(error)
    return OwnCodeError(f"{type(error).__name__}: {error}")


def _serve(way: Connection) -> None:
    """Make what is asked for first, then call its methods until nobody asks any more."""
    # Whoever asks decides when it is over: it may still answer what it has begun.
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, signal.SIG_IGN)
    made: Any = None
    while True:
        try:
            what, arguments = way.recv()
        except (EOFError, OSError):
            return
        try:
            if made is None:
                module, _, name = what.partition(":")
                made, value = getattr(import_module(module), name)(*arguments), None
            else:
                value = getattr(made, what)(*arguments)
            answer = pickle.dumps((False, value))
        except Exception as error:  # noqa: BLE001 - somebody's code may raise anything
            answer = pickle.dumps((True, _carried(error)))
        try:
            way.send_bytes(answer)
        except OSError:
            return


if __name__ == "__main__":
    # Under its own name: what is pickled must be the asking process's classes.
    import_module("mlstrata_steps.apart")._serve(Connection(int(sys.argv[1])))
