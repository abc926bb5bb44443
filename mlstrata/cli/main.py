"""Where the command starts and ends: an exit code for everything, Ctrl-C included, from its first moment on."""

from __future__ import annotations

# The interpreter's own part of `signal`, there already: a Ctrl-C while the rest is imported must find this set.
import _signal  # type: ignore[import-not-found]
import atexit
import gc
import os
import sys

EXIT_INTERRUPTED = 130
_NOTHING_DONE = b"interrupted; nothing was done\n"
_DONE = b"interrupted; completed steps are recorded, the next run continues from there\n"


def run() -> None:
    """Run the command and turn what it raises into one message and an exit code."""
    code = 1
    # A command is short, and what it makes is held to its end: looking for garbage takes a seventh of a plan.
    gc.disable()
    for stream in (sys.stdout, sys.stderr):
        # A terminal of another encoding shows a sign that it lacks as a question mark.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    # The first to be registered is the last to run: after it nothing is torn down. Python stops a background thread
    # at its next turn, and one that is inside compiled code (a key being derived) would then abort the process.
    atexit.register(lambda: _leave(code))
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        _end_silently(_DONE)
    # What ends now must not be torn by a late Ctrl-C.
    if _heeded():
        _signal.signal(_signal.SIGINT, lambda *_: os._exit(code))
    sys.exit(code)


def main(arguments: list[str]) -> int:
    """Run the command with `arguments`; return its exit code: 0, 1 or 2, 130 after an interruption."""
    from mlstrata.cli.application import app
    from mlstrata.cli.errors import report

    if _signal.getsignal(_signal.SIGINT) is _end_early:
        # Everything is imported: from here on an interruption is told by what is under way.
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    try:
        answer = app(args=arguments, standalone_mode=False)
    except KeyboardInterrupt:
        return report(KeyboardInterrupt())
    except Exception as error:  # noqa: BLE001 - the boundary: `report` re-raises what it does not know
        return report(error)
    if answer == EXIT_INTERRUPTED:
        # The library swallows an interruption outside the engine and only says so by this number.
        return report(KeyboardInterrupt())
    return answer if isinstance(answer, int) else 0


def _heeded() -> bool:
    """Whether an interruption is heeded: not when the command was started to ignore it, as by nohup."""
    return bool(_signal.getsignal(_signal.SIGINT) != _signal.SIG_IGN)


def _leave(code: int) -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        code = code or 1  # nobody reads any more: `mlstrata … | head`
    os._exit(code)


def _end_early(_number: int, _frame: object) -> None:
    _end_silently(_NOTHING_DONE)


def _end_silently(message: bytes) -> None:
    os.write(2, message)
    os._exit(EXIT_INTERRUPTED)


if os.path.basename(sys.argv[0]) == "mlstrata" and _heeded():  # noqa: PTH119 - an import of pathlib would be the very window
    # As the installed command only: whoever imports this for its functions keeps their own way to be interrupted.
    _signal.signal(_signal.SIGINT, _end_early)
