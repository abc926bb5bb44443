"""Commands for a repository of one's own: begin one, see what a machine lacks for it, follow a newer version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
PANEL = "A repository"


@app.command(rich_help_panel=PANEL)
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.", show_default=False)],
) -> None:
    """Write a small repository: environments, a policy, a pipeline with its test, a check of pull requests."""
    from mlstrata.cli.repository import init as run

    run(folder)
