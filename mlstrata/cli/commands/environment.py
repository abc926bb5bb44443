"""Commands that make an environment, keep it and end it."""

from __future__ import annotations

from typing import Annotated

import typer

from mlstrata.cli.commands.options import AsJson, Env, Yes

app = typer.Typer()
PANEL = "An environment"


@app.command(rich_help_panel=PANEL)
def validate(
    environments: Annotated[
        list[str] | None, typer.Argument(metavar="[ENV]...", help="Environments; all when none is named.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the environment files: every error at once, with line, value and fix. Changes nothing."""
    from mlstrata.cli.validate import validate as run

    run(environments or [], as_json=as_json)


@app.command(rich_help_panel=PANEL)
def plan(
    env: Env,
    against: Annotated[
        str, typer.Option("--against", metavar="DIR", help="Compare with what another checkout would make, offline.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show what `up` would change, and what drifted from the file. Exits 1 on drift, changes nothing."""
    if against:
        from mlstrata.cli.difference import difference

        difference(env, against, as_json=as_json)
        return
    from mlstrata.cli.deploy import plan as run

    run(env, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def up(
    env: Env,
    yes: Yes = False,
    train: Annotated[
        bool,
        typer.Option("--train", help="Then train and release the first system, if it has no version for its data."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the environment what its file says: create, change, repair. A second run changes nothing."""
    from mlstrata.cli.deploy import up as run

    run(env, yes=yes, train=train, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def down(
    env: Env,
    yes: Yes = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep registry, runs and released models for the next `up`.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Stop the environment and remove its processes, ports and state."""
    from mlstrata.cli.deploy import down as run

    run(env, yes=yes, keep_data=keep_data, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def status(env: Env, as_json: AsJson = False) -> None:
    """Say how the environment is right now: services, addresses, released versions. Exits 1 if any is ill."""
    from mlstrata.cli.status import status as run

    run(env, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def migrate(
    env: Env,
    yes: Yes = False,
    keep_old: Annotated[bool, typer.Option("--keep-old", help="Leave the old store as it is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move models and artifacts to the storage that the file asks for now; run again after any interruption."""
    from mlstrata.cli.migrate import migrate as run

    run(env, yes=yes, keep_old=keep_old, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def backup(
    env: Env,
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="A folder, or s3://BUCKET/PREFIX.")],
    keep: Annotated[int, typer.Option("--keep", help="How many copies stay there, with this one.", min=1)] = 14,
    as_json: AsJson = False,
) -> None:
    """Copy registry, models, runs and audit log while it answers; a copy counts when it was read back."""
    from mlstrata.cli.backup import backup as run

    run(env, to=to, keep=keep, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def restore(
    env: Env,
    of: Annotated[str, typer.Option("--from", metavar="PLACE", help="Where `backup` put its copies.")],
    copy: Annotated[str, typer.Option("--copy", help="A copy's name.")] = "newest",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put a copy's data, all proved by their hashes, where the next `up` finds them."""
    from mlstrata.cli.backup import restore as run

    run(env, of=of, copy=copy, yes=yes, as_json=as_json)
