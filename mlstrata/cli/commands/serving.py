"""Commands for requests to a system: tokens, predictions, tables, usage."""

from __future__ import annotations

from typing import Annotated

import typer

from mlstrata.cli.commands.options import AsJson, Env, System
from mlstrata.operations.tokens import TOKEN_HOURS

app = typer.Typer()
PANEL = "Serving"


@app.command(rich_help_panel=PANEL)
def token(
    env: Env,
    consumer: Annotated[str, typer.Argument(metavar="[CONSUMER]", help="A consumer that a system declares.")] = "",
    hours: Annotated[float, typer.Option("--hours", help="Lifetime in hours.", min=0.01, max=TOKEN_HOURS)] = 12,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Sign with a new key from now on; the old one stays accepted.")
    ] = False,
    retire: Annotated[bool, typer.Option("--retire", help="Stop accepting the old key.")] = False,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Retire the old key even if unexpired tokens were signed with it.")
    ] = False,
    keys: Annotated[
        bool, typer.Option("--keys", help="On a cluster: print its gateway's ConfigMaps; make the key once.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a token for CONSUMER, or rotate the signing key."""
    from mlstrata.operations.errors import UsageError

    if rotate + retire + keys + bool(consumer) != 1 or (at_once and not retire):
        raise UsageError("token: give one of CONSUMER, --rotate and --retire [--at-once], or --keys")
    if keys:
        from mlstrata.cli.token import print_keys

        print_keys(env, as_json=as_json)
        return
    if rotate or retire:
        from mlstrata.cli import token as rotation

        if rotate:
            rotation.rotate(env, as_json=as_json)
        else:
            rotation.retire(env, at_once=at_once, as_json=as_json)
        return
    from mlstrata.cli.token import token as run

    run(env, consumer, hours=hours, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def usage(
    env: Env,
    since: Annotated[
        str, typer.Option("--since", metavar="PERIOD", help="Only the last 15m, 24h, 7d. Default: everything logged.")
    ] = "",
    disk: Annotated[
        bool, typer.Option("--disk", help="Show what takes how much of the disk, and what of it may go when.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show requests by consumer and version, with refusals, errors and latency; or what takes the disk."""
    if disk:
        from mlstrata.cli.disk import disk as show
        from mlstrata.operations.errors import UsageError

        if since:
            raise UsageError("--since, --disk: got both; what lies on the disk is that of now")
        show(env, as_json=as_json)
        return
    from mlstrata.cli.usage import usage as run

    run(env, since=since, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def predict(
    env: Env,
    system: System,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A JSON request; - reads standard input.")],
    consumer: Annotated[
        str, typer.Option("--consumer", help="The consumer that calls. Default: the first declared.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Send a prediction request to SYSTEM through the gateway."""
    from mlstrata.cli.predict import predict as run

    run(env, system, file, consumer=consumer or None, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def score(
    env: Env,
    system: System,
    given: Annotated[
        str, typer.Option("--input", help="A csv, jsonl or parquet file, or a declared dataset. Default: as declared.")
    ] = "",
    output: Annotated[
        str, typer.Option("--output", "-o", help="A csv or jsonl file. Default: in the environment's data folder.")
    ] = "",
    version: Annotated[str, typer.Option("--version", help="A released version. Default: the champion.")] = "",
    key: Annotated[str, typer.Option("--key", help="Column of the input to carry into the output.")] = "",
    as_json: AsJson = False,
) -> None:
    """Score each row of a table once with SYSTEM's released model, with the checks of its API."""
    from mlstrata.cli.batch import score as run

    given_or_none, output_or_none = given or None, output or None
    run(
        env,
        system,
        given=given_or_none,
        output=output_or_none,
        version=version or None,
        key=key or None,
        as_json=as_json,
    )


@app.command(rich_help_panel=PANEL)
def monitor(
    env: Env,
    system: Annotated[str, typer.Argument(metavar="[SYSTEM]", help="Only this system.", show_default=False)] = "",
    full: Annotated[bool, typer.Option("--full", help="Show everything measured, not only what alerts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show drift, live quality and fairness: what, since when, how sure. Exits 1 where something alerts."""
    from mlstrata.cli.monitor import monitor as run

    run(env, system or None, full=full, as_json=as_json)
