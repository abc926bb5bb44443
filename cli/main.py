"""The command line: its commands together, and what becomes of an error."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.commands import environment, governance, kubernetes, models, serving

app = typer.Typer(
    name="mlstrata",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="One file describes an ML platform environment; this command makes it real, keeps it so and checks it.",
    epilog="Start with `mlstrata validate local`, then `mlstrata plan local` and `mlstrata up local`. "
    "Exit codes: 0 fine, 1 a check failed or drift was found, 2 a bad file or usage.",
)
for group in (environment, models, serving, governance, kubernetes):
    app.add_typer(group.app)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("mlstrata"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def run() -> None:
    """Run the command and turn what it raises into one message and an exit code."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run the command with `arguments`; return its exit code: 0, 1 or 2, 130 after an interruption."""
    from cli.errors import EXIT_INTERRUPTED, report

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
