"""`mlstrata promote`: a released version goes to another environment, with its evidence and who decided what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from mlstrata.cli.console import confirm, say, say_json, show_table
from mlstrata.cli.reporter import Terminal
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.promotion import environments

if TYPE_CHECKING:
    from mlstrata.operations.promotion import Approval, Order


def promote(
    name: str, system: str, *, to: str, version: str, reason: str, decider: str, yes: bool, as_json: bool
) -> None:
    """Show what is to go on, promote it once that is confirmed, and say where it is."""

    def agree(order: Order, metrics: dict[str, float]) -> None:
        if not as_json:
            _show_order(order.approvals, metrics)
        confirm(yes, f"Promote version {order.version} of {name} to {to}?", as_json)

    done = environments.promote(
        Deployment.open(name),
        Deployment.open(to),
        system,
        Terminal(quiet=as_json),
        reason=reason,
        version=version,
        decider=decider,
        agree=agree,
    )
    promoted, record = done.promoted, done.written.record
    if as_json:
        document = {"from": name, "to": to, "system": system, "version": promoted.version}
        evidence = promoted.evidence.model_dump(mode="json")
        say_json({**document, "created": promoted.created, "evidence": evidence, "audit": asdict(record)})
        return
    what = "is" if promoted.created else "was promoted before: it is"
    files, approvals = len(promoted.evidence.files), len(promoted.evidence.approvals)
    say(f" {system}: version {done.order.version} of {name} {what} version {promoted.version} of {to}")
    say(f"   {files} files, each read back and the same · {approvals} approvals")
    say(f"   audit entry {record.number} of {to} · sha256 {record.hash}")
    for warning in done.written.warnings:
        say(f"  {warning}")
    say(f"   it answers after `mlstrata release {to} {system} --version {promoted.version}`")


def _show_order(approvals: Sequence[Approval], metrics: dict[str, float]) -> None:
    from rich.table import Table

    table = Table("decided", "who", "when", "why", title="approvals", title_justify="left")
    for one in approvals:
        table.add_row(one.action, one.who, f"{one.when:%Y-%m-%d %H:%M}", one.reason)
    show_table(table)
    say("   " + " · ".join(f"{name} {value:.3f}" for name, value in sorted(metrics.items())[:6]))
