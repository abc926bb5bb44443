"""Commands that train versions of a system and release them."""

from __future__ import annotations

from typing import Annotated

import typer

from mlstrata.cli.commands.options import AsJson, Decider, Env, Reason, System, Yes

app = typer.Typer()
PANEL = "Models"


@app.command(rich_help_panel=PANEL)
def train(
    env: Env,
    system: System,
    if_needed: Annotated[
        bool, typer.Option("--if-needed", help="Only when no version has this data, code and settings.")
    ] = False,
    trials: Annotated[
        int | None, typer.Option("--trials", help="Sets of hyperparameters to try in parallel.", min=0, max=1000)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run SYSTEM's training pipeline and register the new version if it passes the gates."""
    from mlstrata.cli.train import train as run

    run(env, system, if_needed=if_needed, as_json=as_json, trials=trials)


@app.command(rich_help_panel=PANEL)
def retrain(env: Env, system: System, reason: Reason = "", decider: Decider = "", as_json: AsJson = False) -> None:
    """Have SYSTEM learn from recorded predictions with their truth, then roll its new version out as declared."""
    from mlstrata.cli.retrain import retrain as run

    run(env, system, reason=reason, decider=decider, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def loop(
    env: Env,
    system: Annotated[str, typer.Argument(metavar="[SYSTEM]", help="Default: the first that learns by drift.")] = "",
    rate: Annotated[float, typer.Option("--rate", help="Requests a second.", min=0.1, max=1000)] = 20.0,
    requests: Annotated[
        int, typer.Option("--requests", help="Ordinary requests first. Default: what the monitor needs.", min=0)
    ] = 0,
    shift: Annotated[float, typer.Option("--shift", help="Share by which numbers rise.", min=0.01, max=10)] = 0.15,
    bad: Annotated[bool, typer.Option("--bad", help="Have the new version turn out worse, and be taken back.")] = False,
    patience: Annotated[float, typer.Option("--patience", help="Seconds that one phase may take.", min=1)] = 900.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document an event.")] = False,
) -> None:
    """Run the learning loop on real parts: traffic, drift, alert, training, gates, rollout; made of SYSTEM's test data.

    Its requests and their truth are recorded like any other: for an environment that serves nobody.
    """
    from mlstrata.cli.loop import loop as run
    from mlstrata.operations.loop.run import Options

    options = Options(rate=rate, requests=requests, shift=shift, bad=bad, seconds=patience)
    run(env, system, options, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def judge(
    env: Env,
    system: System,
    source: Annotated[str, typer.Option("--source", help="Where the model is. Default: model.source.")] = "",
    version: Annotated[str, typer.Option("--version", help="A version that was registered by hand.")] = "",
    as_json: AsJson = False,
) -> None:
    """Fetch a model that was trained elsewhere and register it if it passes the gates of SYSTEM."""
    from mlstrata.cli.train import judge as run

    run(env, system, source=source, version=version, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def compare(
    env: Env,
    system: System,
    versions: Annotated[
        list[str] | None, typer.Argument(metavar="[VERSION]...", help="Versions; the newest when none is named.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show versions of SYSTEM side by side: metrics, data version, commit, run, and the settings that differ."""
    from mlstrata.cli.compare import compare as run

    run(env, system, versions or [], as_json=as_json)


@app.command(rich_help_panel=PANEL)
def release(
    env: Env,
    system: System,
    version: Annotated[str, typer.Option("--version", help="A registered version. Default: the newest.")] = "",
    reason: Reason = "",
    decider: Decider = "",
    without_gates: Annotated[
        bool,
        typer.Option("--without-gates", help="Release a version that no training run reports the gates of; audited."),
    ] = False,
    all_at_once: Annotated[
        bool, typer.Option("--all-at-once", help="Skip the declared rollout; needs a reason; audited.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Compare a version of SYSTEM with the champion, then release it, or begin the rollout that is declared."""
    from mlstrata.cli.release import release as run

    run(
        env,
        system,
        version=version or None,
        reason=reason,
        decider=decider or None,
        without_gates=without_gates,
        all_at_once=all_at_once,
        yes=yes,
        as_json=as_json,
    )


@app.command(rich_help_panel=PANEL)
def rollback(env: Env, system: System, reason: Reason = "", decider: Decider = "", as_json: AsJson = False) -> None:
    """Roll back to the previous version without confirmation."""
    from mlstrata.cli.release import rollback as run

    run(env, system, reason=reason, decider=decider or None, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def rollout(
    env: Env,
    system: System,
    step: Annotated[bool, typer.Option("--step", help="Carry out what the figures decide now.")] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Approve that the candidate takes over.")] = False,
    abort: Annotated[bool, typer.Option("--abort", help="Give all traffic back to the champion.")] = False,
    advance: Annotated[
        bool, typer.Option("--advance", help="Go to the next step, or promote, without waiting for figures.")
    ] = False,
    let_go: Annotated[
        bool, typer.Option("--let-go", help="Remove the versions that were kept when they were taken back.")
    ] = False,
    reason: Reason = "",
    decider: Decider = "",
    as_json: AsJson = False,
) -> None:
    """Show the rollout of SYSTEM: step, shares, figures of both versions, next decision; or decide about it."""
    from mlstrata.cli.rollout import rollout as run

    asked = {"step": step, "approve": approve, "abort": abort, "advance": advance, "let_go": let_go}
    run(env, system, asked, reason=reason, decider=decider or None, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def stop(env: Env, system: System, reason: Reason = "", decider: Decider = "", as_json: AsJson = False) -> None:
    """Stop SYSTEM: the gateway refuses every request to it until it is resumed."""
    from mlstrata.cli.rollout import stop as run

    run(env, system, reason=reason, decider=decider or None, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def resume(env: Env, system: System, reason: Reason = "", decider: Decider = "", as_json: AsJson = False) -> None:
    """Resume SYSTEM after a stop."""
    from mlstrata.cli.rollout import resume as run

    run(env, system, reason=reason, decider=decider or None, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def retire(
    env: Env,
    system: System,
    keep: Annotated[
        bool, typer.Option("--keep", help="Record that it stays, with the figures that were seen.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="Archive it and answer nobody any more.")] = False,
    although: Annotated[
        bool, typer.Option("--although", help="Retire it although something speaks against it.")
    ] = False,
    reason: Reason = "",
    decider: Decider = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Show whether SYSTEM is still worth having: KPIs, alerts, callers, cost, successor; keep it, or retire it."""
    from mlstrata.cli.retire import retire as run

    run(
        env,
        system,
        keep=keep,
        now=now,
        although=although,
        reason=reason,
        decider=decider or None,
        yes=yes,
        as_json=as_json,
    )


@app.command(rich_help_panel=PANEL)
def promote(
    env: Env,
    system: System,
    to: Annotated[str, typer.Option("--to", metavar="ENV", help="The target environment.")],
    version: Annotated[str, typer.Option("--version", help="A released version. Default: the champion.")] = "",
    reason: Reason = "",
    decider: Decider = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Copy a released version of SYSTEM to another environment's registry, with its evidence and approvals."""
    from mlstrata.cli.promote import promote as run

    run(env, system, to=to, version=version, reason=reason, decider=decider, yes=yes, as_json=as_json)
