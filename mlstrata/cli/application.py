"""The command line: its commands together."""

from __future__ import annotations

from typing import Annotated

import typer

from mlstrata.cli.commands import environment, governance, kubernetes, models, recording, repository, serving

app = typer.Typer(
    name="mlstrata",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Deploy, operate and check an ML platform environment that one file describes.",
    epilog="Start with `mlstrata validate local`, then `mlstrata plan local` and `mlstrata up local`. "
    "Exit codes: 0 fine, 1 a check failed or drift was found, 2 a bad file or usage.",
)
for group in (environment, models, serving, recording, governance, kubernetes, repository):
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
