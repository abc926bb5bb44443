"""Turns what a command raises into one message and an exit code; a traceback is never for the user."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.cli.console import complain
from mlstrata.operations.errors import Failed, UsageError

if TYPE_CHECKING:
    from typer.exceptions import TyperException

PASSPHRASE_VARIABLES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")  # the first one set is taken
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
_ROOM = "free some space there, then run again"
_RIGHT = "let this user write there, or work in another folder"
_WAY = "move what lies there out of the way"
_OF_THE_MACHINE = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: _RIGHT,
    errno.EACCES: _RIGHT,
    errno.EPERM: _RIGHT,
    errno.ENOTDIR: _WAY,
    errno.EISDIR: _WAY,
    errno.EEXIST: _WAY,
}
"""What an operating system refuses that its user can mend, with the way."""


def report(error: BaseException) -> int:
    """Print `error` for a person and return the exit code that belongs to it."""
    import typer
    from typer.exceptions import TyperException

    if isinstance(error, KeyboardInterrupt | typer.Abort):
        complain("interrupted; completed steps are recorded, the next run continues from there")
        return EXIT_INTERRUPTED
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, TyperException):
        complain(_misused(error))
        return EXIT_USAGE
    if (code := _known(error)) is not None:
        complain(_message(error))
        return code
    if isinstance(error, OSError) and (fix := _OF_THE_MACHINE.get(error.errno or 0)):
        complain(f"{error.filename or 'the output'}: cannot be written or read ({error.strerror}); {fix}")
        return EXIT_USAGE
    return _unexpected(error)


def _misused(error: TyperException) -> str:
    """Return what was wrong with the command's own words, and where its help is."""
    context = getattr(error, "ctx", None)
    if context is None or type(error).__name__ == "NoArgsIsHelpError":
        return error.format_message()
    said = error.format_message().rstrip(".")
    return f"{context.command_path}: {said}{'' if said.endswith('?') else '.'} See `{context.command_path} --help`"


def _known(error: BaseException) -> int | None:
    """Return the exit code of an error of ours, looked up only in rooms that are loaded already."""
    if isinstance(error, UsageError | Failed):
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
    if _is(error, "pulumi_embedded", "EngineError"):
        if _is(error, "pulumi_embedded", "Cancelled"):
            return EXIT_INTERRUPTED
        return EXIT_FAILED if _is(error, "pulumi_embedded", "StepsFailed") else EXIT_USAGE
    usage = (
        ("mlstrata.environments", "SpecErrors"),
        ("mlstrata.environments", "WorkspaceError"),
        # A cluster that cannot be asked, or refuses, says nothing about the version.
        ("mlstrata.clients.kubernetes", "ClusterError"),
        ("mlstrata.services.gateway.rotation", "RotationError"),
    )
    if any(_is(error, *mistake) for mistake in usage):
        return EXIT_USAGE
    failures = (
        ("mlstrata.clients.mlflow", "RegistryError"),
        ("mlstrata.operations.releases", "RolloutError"),
        ("mlstrata.components.supervision.values", "SupervisionError"),
    )
    return EXIT_FAILED if any(_is(error, *failure) for failure in failures) else None


def _is(error: BaseException, room: str, name: str) -> bool:
    """Say whether an error is of this class; one of a room that is not loaded cannot have been raised."""
    kind = getattr(sys.modules.get(room), name, None)
    return kind is not None and isinstance(error, kind)


def _message(error: BaseException) -> str:
    """Return an error's text; what the program itself says to its user (a RunError) stands alone."""
    inner = getattr(error, "error", None)
    text = str(inner if type(inner).__name__ == "RunError" else error)
    if _is(error, "pulumi_embedded", "WrongPassphrase"):
        given = next((name for name in PASSPHRASE_VARIABLES if name in os.environ), "the environment's own file")
        text += f"; it came from {given}"
    # A service's own sentence is written for people; the engine names the class of what any provider raises.
    return text.replace("SupervisionError: ", "")


def _unexpected(error: BaseException) -> int:
    """Say that this is our defect; the traceback goes to a file, for a report."""
    text = "".join(traceback.format_exception(error))
    if os.environ.get("MLSTRATA_DEBUG"):
        sys.stderr.write(text)
        return EXIT_FAILED
    with tempfile.NamedTemporaryFile("w", prefix="mlstrata-", suffix=".log", delete=False, encoding="utf-8") as file:
        file.write(text)
    complain(f"mlstrata failed unexpectedly: {type(error).__name__}: {error}\nthe details are in {Path(file.name)}")
    return EXIT_FAILED
