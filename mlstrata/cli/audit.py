"""`mlstrata audit`: who decided what, when and why, and whether the log of it is whole."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.cli.console import say, say_json, show_table
from mlstrata.operations import audit as operation
from mlstrata.operations.deployment import Deployment

if TYPE_CHECKING:
    from mlstrata.audit import Record, Verification


def audit(name: str, *, check: bool, as_json: bool) -> None:
    """Show the audit log of an environment, or with `check` verify it; exit 1 when it is not whole."""
    import typer

    log = operation.audit(Deployment.open(name))
    path, found, records = log.file, log.verification, list(log.records)
    if as_json:
        document = {"environment": name, "file": str(path), **asdict(found), "ok": found.ok}
        say_json(document if check else {**document, "log": [vars(record) for record in records]})
    elif check:
        _show_verification(path, found)
    else:
        _show(records)
        if not found.ok:
            say(f" the log was altered: {found.problems[0]}; `mlstrata audit {name} --verify` says all", style="red")
    if check and not found.ok:
        raise typer.Exit(1)


def _show_verification(path: Path, found: Verification) -> None:
    for problem in found.problems:
        say(f" {problem}", style="red")
    for note in found.notes:
        say(f" {note}")
    if found.ok:
        what = f"{found.entries} entries, whole" + (f" · the last has sha256 {found.head}" if found.head else "")
        say(f" {path}: {what}")
    else:
        say(f" {path}: was altered; restore it from a backup, and keep this one as evidence", style="red")


def _show(records: list[Record]) -> None:
    if not records:
        say(" nothing was decided yet")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 1))
    for heading in ("#", "when (UTC)", "who", "action", "system", "version", "outcome", "reason"):
        table.add_column(heading, overflow="fold")
    for record in records:
        entry = record.entry
        when = datetime.fromisoformat(entry["when"]).strftime("%Y-%m-%d %H:%M:%S")
        versions = f"{entry['version_from'] or 'none'} → {entry['version_to']}"
        cells = (str(record.number), when, entry["who"], entry["action"], entry["system"], versions, entry["outcome"])
        table.add_row(*map(Text, (*cells, entry["reason"])))
        if entry["problem"]:
            table.add_row(*[""] * 7, Text(entry["problem"], style="red"))
    show_table(table)
