"""Commands that deploy, maintain and remove an environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlstrata.cli.commands.options import AsJson, Env, Layer, Yes

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
        str, typer.Option("--against", metavar="DIR", help="Compare with the plan of another checkout, offline.")
    ] = "",
    layer: Layer = "",
    as_json: AsJson = False,
) -> None:
    """Show what `up` would change, and drift from the recorded state. Exits 1 on drift, changes nothing."""
    if against:
        from mlstrata.cli.difference import difference

        difference(env, against, as_json=as_json)
        return
    from mlstrata.cli.deploy import plan as run

    run(env, layer=layer, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def cost(
    env: Env,
    prices: Annotated[
        Path | None, typer.Option("--prices", metavar="FILE", help="Prices to use instead; docs/cost.md has the form.")
    ] = None,
    diff: Annotated[
        str | None, typer.Option("--diff", metavar="REV", help="Show what differs from the files at a git revision.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Name each resource, and all that has no price.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print it as a pull request's comment.")] = False,
    as_json: AsJson = False,
) -> None:
    """Estimate what ENV costs a month, from its plan: by component, system and team. Changes nothing, asks nobody.

    From what always runs to all that autoscalers and pools may add. Where the plan has machines, they are priced; on a
    cluster of your own, what its pods ask for and a price a unit, and of pools their GPUs.

    What has no price is listed, never counted as nothing. What is paid by use (traffic, requests, runs of jobs) is
    listed too, unless the prices say how much to assume. Taxes, discounts and support are not in it.

    mlstrata cost prod --full

    mlstrata cost staging --prices our-prices.yaml

    mlstrata cost prod --diff main --markdown
    """
    from mlstrata.cli.cost import cost as run

    run(env, prices=prices, diff=diff, full=full, as_markdown=as_markdown, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def up(
    env: Env,
    yes: Yes = False,
    train: Annotated[
        bool,
        typer.Option("--train", help="Train and release the first system, if it has no version for its data."),
    ] = False,
    layer: Layer = "",
    as_json: AsJson = False,
) -> None:
    """Deploy the environment. Fails before any change if a mandatory policy is violated."""
    from mlstrata.cli.deploy import up as run

    run(env, yes=yes, train=train, layer=layer, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def down(
    env: Env,
    yes: Yes = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep registry, runs and released models for the next `up`.")
    ] = False,
    layer: Layer = "",
    as_json: AsJson = False,
) -> None:
    """Stop the environment and remove its processes, ports and state."""
    from mlstrata.cli.deploy import down as run

    run(env, yes=yes, keep_data=keep_data, layer=layer, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def status(env: Env, as_json: AsJson = False) -> None:
    """Show services, addresses and released versions. Exits 1 if a service is unhealthy."""
    from mlstrata.cli.status import status as run

    run(env, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def migrate(
    env: Env,
    yes: Yes = False,
    keep_old: Annotated[bool, typer.Option("--keep-old", help="Keep the old store.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move models and artifacts to the storage that the file declares. Resumes after an interruption."""
    from mlstrata.cli.migrate import migrate as run

    run(env, yes=yes, keep_old=keep_old, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def backup(
    env: Env,
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="A folder, or s3://BUCKET/PREFIX.")],
    keep: Annotated[int, typer.Option("--keep", help="How many backups to keep, with this one.", min=1)] = 14,
    as_json: AsJson = False,
) -> None:
    """Back up registry, models, runs and audit log without downtime; a backup is kept only after verification."""
    from mlstrata.cli.backup import backup as run

    run(env, to=to, keep=keep, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def restore(
    env: Env,
    of: Annotated[str, typer.Option("--from", metavar="PLACE", help="Where `backup` wrote.")],
    copy: Annotated[str, typer.Option("--copy", help="A backup's name.")] = "newest",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup, verified by hashes, for the next `up`."""
    from mlstrata.cli.backup import restore as run

    run(env, of=of, copy=copy, yes=yes, as_json=as_json)
