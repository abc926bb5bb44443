"""`mlstrata monitor`: what drifted, since when, and how sure that is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlstrata.cli.console import duration, out, say, say_json, show_table
from mlstrata.operations import monitoring as operation
from mlstrata.operations.deployment import Deployment

if TYPE_CHECKING:
    from mlstrata.operations.monitoring import Finding, Watched


def monitor(name: str, system: str | None, *, full: bool = False, as_json: bool) -> None:
    """Show the last verdicts; exit 1 where something alerts."""
    import typer

    found = operation.watched(Deployment.open(name), system)
    alerts = any(one.verdict is not None and one.verdict.alerts for one in found)
    if as_json:
        say_json({"environment": name, "alerts": alerts, "systems": [_document(one) for one in found]})
    else:
        for one in found:
            _show(one, full=full)
    if alerts:
        raise typer.Exit(1)


def _document(one: Watched) -> dict[str, object]:
    verdict = one.verdict.model_dump(mode="json", exclude={"bars"}) if one.verdict else None
    return {"system": one.system, "verdict": verdict, "stale": one.stale, "report": one.report}


def _show(one: Watched, *, full: bool) -> None:
    from rich.table import Table

    verdict = one.verdict
    if verdict is None:
        say(f" {one.system:<28} no verdict yet")
        return
    alerts = len(verdict.alerts)
    out().print("[red] alert     [/red]" if alerts else "[green] quiet     [/green]", end="")
    state = verdict.state.replace("_", " ")
    version = f"version {verdict.version}" if verdict.version else "no version"
    told = f"{alerts} alert{'s' if alerts != 1 else ''}" if alerts else state
    say(f" {one.system:<28} {version} · {told} · {verdict.rows} rows, {verdict.truths} with their truth")
    if verdict.detail:
        say(f"      {verdict.detail}")
    if one.stale:
        say(f"      this was {duration(one.age)} ago: is the service monitor running?", style="yellow")
    shown = [found for found in verdict.findings if found.alert or (full and (found.value or found.limit is None))]
    if shown:
        table = Table("what", "of", "value", "limit", "since", "how sure", box=None, padding=(0, 2), pad_edge=False)
        for found in shown:
            table.add_row(*_row(found), style="red" if found.alert else "")
        show_table(table)
    if one.report:
        say(f"      report: {one.report}")


def _row(found: Finding) -> tuple[str, ...]:
    limit = "not declared" if found.limit is None else f"{found.limit:.4g}"
    since = f"for {duration(time.time() - found.since)}" if found.alert and found.since is not None else ""
    return (found.watch.value.replace("_", " "), found.of, f"{found.value:.4g}", limit, since, found.sure)
