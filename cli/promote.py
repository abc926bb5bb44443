"""`mlstrata promote`: a released version goes to another environment, with its evidence and who decided what."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from cli.console import Failed, UsageError, confirm, err, say, say_json, show_table
from cli.context import Context
from cli.predict import find_system
from cli.recorded import address, released
from cli.release import deciding_user

if TYPE_CHECKING:
    from environments import SystemSpec
    from services.promotion import Approval, Evidence, Side

_CONTRACT = (
    "purpose",
    "risk.tier",
    "risk.annex_iii",
    "model.task",
    "model.target",
    "model.positive",
    "model.protected",
)
"""What the evidence of a version is about: where it is declared otherwise, the evidence is of another system."""


def promote(
    name: str, system: str, *, to: str, version: str, reason: str, decider: str, yes: bool, as_json: bool
) -> None:
    """Copy a version with all that is known of it into another environment's registry; nothing is released there.

    Raises:
        UsageError: an environment is not up or declares no such system, or another one of that name.
        Failed: the version may not be promoted, or did not arrive.
    """
    from services.audit import AuditLog, Entry, Metrics
    from services.promotion import Order, PromotionError, examine
    from services.promotion import promote as go
    from services.registry.rest import RegistryError

    source, target = Context.open(name), Context.open(to)
    for context in (source, target):
        context.require_local("promote")
    if name == to:
        raise UsageError(f"--to: got {to}, which it comes from; name another environment")
    _same_system(source, target, system)
    if not reason.strip():
        raise UsageError('--reason: got nothing; say why it should go on: --reason "…"')
    number = version or released(source, system).champion
    if not number:
        raise UsageError(f"{name} has released no version of {system}; `mlstrata release {name} {system}` first")
    sides = _side(source), _side(target)
    who = decider or deciding_user()
    order = Order(
        find_system(target, system), number, who, reason.strip(), _approvals(source, system, number), datetime.now(UTC)
    )
    try:
        metrics = examine(sides[0], order)
        if not as_json:
            _show_order(order.approvals, metrics)
        confirm(yes, f"Promote version {number} of {system} from {name} to {to}?", as_json)
        log = AuditLog(_audit_file(target))
        log.ready()
        with err().status("promoting …") as status:
            done = go(*sides, order, on_step=lambda step: status.update(f"promoting · {step}"))
        entry = Entry(
            # The same promotion, gone on with after a crash, is one entry.
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{system}/{number}/{done.evidence.decided.isoformat()}")),
            when=done.evidence.decided,
            who=done.evidence.who,
            action="promote",
            system=system,
            version_from=f"{name}/{number}",
            version_to=done.version,
            reason=done.evidence.reason,
            metrics=Metrics(candidate=metrics),
            outcome="done",
        )
        written = log.append(entry)
    except (PromotionError, RegistryError) as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(
            f"{_audit_file(target)}: {error.strerror or error}; the promotion is not recorded: run it again"
        ) from None
    if as_json:
        say_json(
            {
                "from": name,
                "to": to,
                "system": system,
                **_document(done.evidence),
                "version": done.version,
                "created": done.created,
                "audit": asdict(written.record),
            }
        )
        return
    what = (
        f"is version {done.version} of {to}" if done.created else f"was promoted before: version {done.version} of {to}"
    )
    say(f" {system}: version {number} of {name} {what} · {len(done.evidence.files)} files, each read back and the same")
    say(f"   audit entry {written.record.number} of {to} · sha256 {written.record.hash}")
    for warning in written.warnings:
        say(f"  {warning}")
    say(f"   it answers there after `mlstrata release {to} {system} --version {done.version}`")


def _same_system(source: Context, target: Context, name: str) -> None:
    """Refuse a system that only has the same name there.

    Raises:
        UsageError: with each field that is declared otherwise.
    """
    here, there = find_system(source, name), find_system(target, name)
    wrong = [
        f"systems[{target.spec.systems.index(there)}].{path}: got {_value(there, path)!r}, "
        f"but {source.name} has {_value(here, path)!r}"
        for path in _CONTRACT
        if _value(here, path) != _value(there, path)
    ]
    if wrong:
        raise UsageError(
            f"{target.loaded.file}: {'; '.join(wrong)}: the evidence would be of another system; declare it alike"
        )


def _value(system: SystemSpec, path: str) -> object:
    found: object = system
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def _side(context: Context) -> Side:
    from services.promotion import Side
    from services.registry.access import header, variables

    return Side(context.name, address(context, "mlflow"), header(variables(context.home)))


def _approvals(context: Context, system: str, version: str) -> tuple[Approval, ...]:
    """Return what was decided about a version.

    Raises:
        Failed: the log it stands in is not whole.
    """
    from services.audit import read, verify
    from services.promotion import Approval

    path = _audit_file(context)
    if not (found := verify(path)).ok:
        raise Failed(f"{path}: the audit log is not whole ({found.problems[0]}); what it says approves nothing")
    return tuple(
        Approval(
            number=record.number,
            sha256=record.hash,
            action=record.entry["action"],
            when=record.entry["when"],
            who=record.entry["who"],
            reason=record.entry["reason"],
        )
        for record in read(path)
        if (record.entry["system"], record.entry["version_to"], record.entry["outcome"]) == (system, version, "done")
    )


def _audit_file(context: Context) -> Path:
    from services.rollout import AUDIT_FILE

    return context.home / AUDIT_FILE


def _document(evidence: Evidence) -> dict[str, object]:
    return {"evidence": evidence.model_dump(mode="json")}


def _show_order(approvals: Sequence[Approval], metrics: dict[str, float]) -> None:
    table = Table("decided", "who", "when", "why", title="approvals", title_justify="left")
    for one in approvals:
        table.add_row(one.action, one.who, f"{one.when:%Y-%m-%d %H:%M}", one.reason)
    show_table(table)
    say("   " + " · ".join(f"{name} {value:.3f}" for name, value in sorted(metrics.items())[:6]))
