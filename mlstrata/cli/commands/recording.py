"""Commands for what was predicted and what became known of it."""

from __future__ import annotations

from typing import Annotated

import typer

from mlstrata.cli.commands.options import AsJson, Env, System

app = typer.Typer()
PANEL = "Serving"


@app.command(rich_help_panel=PANEL)
def predictions(
    env: Env,
    system: System,
    request: Annotated[str, typer.Option("--id", metavar="REQUEST", help="Only this request, with the reasons.")] = "",
    since: Annotated[str, typer.Option("--since", metavar="PERIOD", help="Only the last 15m, 24h, 7d.")] = "1d",
    limit: Annotated[int, typer.Option("--limit", help="Rows to print, the newest.", min=1, max=100_000)] = 20,
    target: Annotated[
        str, typer.Option("--export", metavar="FILE.parquet", help="Write all rows of the period to a file.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show which version predicted what, when, from what and why; or export it. Changes nothing."""
    from mlstrata.cli.recorded import predictions as run

    run(env, system, request=request, since=since, limit=limit, target=target, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def feedback(
    env: Env,
    system: System,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="csv or JSON lines: id, truth, reward, group.NAME; - reads stdin.")
    ],
    as_json: AsJson = False,
) -> None:
    """Record what became known of SYSTEM's predictions: truth, reward, groups. Again is harmless."""
    from mlstrata.cli.recorded import feedback as run

    run(env, system, file, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def queue(
    env: Env,
    system: System,
    review: Annotated[bool, typer.Option("--review", help="What the model handed over, not rows to label.")] = False,
    request: Annotated[str, typer.Option("--id", metavar="REQUEST[:ROW]", help="Decide this row.")] = "",
    truth: Annotated[str, typer.Option("--truth", help="What it really was, or what you decide.")] = "",
    reviewer: Annotated[str, typer.Option("--reviewer", help="Person who decides. Default: you.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="Rows to print, the oldest.", min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show rows of SYSTEM that wait for a person, or decide one by --id and --truth."""
    from mlstrata.cli import recorded
    from mlstrata.operations.deciding import deciding_user
    from mlstrata.operations.errors import UsageError

    kind = "review" if review else "labelling"
    if bool(request) != bool(truth):
        raise UsageError("--id, --truth: got one of them; a decision needs both")
    if not request:
        recorded.queue(env, system, kind, limit=limit, as_json=as_json)
        return
    name, colon, row = request.rpartition(":")
    numbered = bool(colon) and row.isdecimal()
    decision = {
        "id": name if numbered else request,
        "instance": int(row) if numbered else 0,
        "truth": truth,
        "reviewer": reviewer or deciding_user(),
    }
    recorded.decide(env, system, kind, decision, as_json=as_json)
