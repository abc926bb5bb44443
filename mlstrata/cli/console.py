"""What a command prints: people's text on a terminal, quiet when piped, JSON for machines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PIPED_WIDTH = 160


@cache
def out() -> Console:
    """Return the console of results (standard output)."""
    from rich.console import Console

    # Where nobody's terminal says how wide it is, a log or a machine takes what it gets.
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else _PIPED_WIDTH
    return Console(highlight=False, soft_wrap=True, no_color=_plain(sys.stdout), width=width)


@cache
def err() -> Console:
    """Return the console of progress and errors (standard error)."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True, no_color=_plain(sys.stderr))


def _plain(stream: TextIO) -> bool:
    return bool(os.environ.get("NO_COLOR")) or not stream.isatty()


def say(text: str = "", *, style: str | None = None) -> None:
    """Print one line of a result; markup characters in `text` are text."""
    from rich.text import Text

    out().print(Text(text, style=style or ""))


def duration(seconds: float) -> str:
    """Say a duration as people do, by its two largest units: `45 s`, `1 h 35 min`, `3 d 2 h`."""
    left, said = int(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            said.append(f"{count} {unit}")
        if len(said) == 2 or (said and not count):  # noqa: PLR2004 - finer than two units nobody asks
            break
    return " ".join(said) or "0 s"


def show_table(table: Table) -> None:
    """Print a table: folded into a terminal's width, wide where a machine or a log takes it."""
    out().print(table)


def say_json(document: Mapping[str, Any] | list[Any]) -> None:
    """Print one JSON document, the only thing on standard output under `--json`."""
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")


def complain(message: str) -> None:
    """Print an error, each of its lines as it is."""
    from rich.text import Text

    err().print(Text(message, style="red"))


def confirm(yes: bool, question: str, as_json: bool) -> None:
    """Ask `question` on a terminal, unless `yes`; return when the answer is yes, and end the command otherwise.

    Raises:
        UsageError: nobody is there to answer.
    """
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise UsageError(f"{question} No terminal to confirm on: add --yes")
    import typer

    typer.confirm(question, abort=True)
