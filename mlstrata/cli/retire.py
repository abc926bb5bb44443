"""`mlstrata retire`: whether a system is still worth having, and how it goes."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import confirm, duration, say, say_json
from mlstrata.operations import retirement
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlstrata.operations.retirement import Review
    from mlstrata.operations.retirement.review import Successor


def retire(
    name: str,
    system: str,
    *,
    keep: bool,
    now: bool,
    although: bool,
    reason: str,
    decider: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Show what speaks for a system and what against, and carry out what is decided."""
    if keep and now:
        raise UsageError("retire: got --keep and --now; decide for one of them")
    deployment, moment = Deployment.open(name), datetime.now(UTC)
    if keep:
        kept = retirement.keep(deployment, system, reason=reason, decider=decider, now=moment)
        _tell(kept.review, {"decided": "keep", "record": kept.record}, kept.warnings, as_json=as_json)
        if not as_json:
            say(f" {system} stays: entry {kept.record} of the audit log; set the next day in retire.review")
        return
    if not now:
        if although or reason:
            raise UsageError("retire: got --reason or --although, and nothing is decided; add --keep or --now")
        _tell(retirement.review(deployment, system, moment), {}, (), as_json=as_json)
        return

    def agree(found: Review) -> None:
        if not as_json:
            _show(found)
        confirm(yes, f"Retire {system}: archive it and answer nobody any more?", as_json)

    done = retirement.retire(
        deployment, system, reason=reason, decider=decider, now=moment, although=although, agree=agree
    )
    if as_json:
        say_json({"system": system, "decided": "retire", **asdict(done), "review": _document(done.review)})
        return
    say(f" {system}: {'retired' if done.changed else 'was retired already'}; every request gets 410 (`retired`)")
    say(f"   kept until {done.kept_until:%Y-%m-%d} (retention.documents): {done.archive}")
    say(f"   sha256 {done.sha256}" + (f" · audit entry {done.audit.split(':')[0]}" if done.audit else ""))
    for warning in done.warnings:
        say(f"  {warning}")
    say(f"   next: remove it from {deployment.file.name}, `mlstrata up {name}`, then `mlstrata erase {name} {system}`")


def _tell(found: Review, more: dict[str, Any], warnings: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        say_json({"system": found.system, **more, "review": _document(found), "warnings": list(warnings)})
        return
    _show(found)
    for warning in warnings:
        say(f"  {warning}")


def _show(found: Review) -> None:
    answers = f"version {found.version} answers" if found.version else "no version released yet"
    say(f" {found.system}: {f'retired by {found.retired}' if found.retired else answers}")
    for head, line in _lines(found):
        say(f"   {head:<12} {line}")
    for sentence in found.against:
        say(f"   against      {sentence}")
    if not found.against and not found.retired:
        say("   against      nothing: `--now` retires it, `--keep` records that it stays")


def _lines(found: Review) -> Iterator[tuple[str, str]]:
    days = [f"decide by {found.review}" if found.review else "", f"ends {found.ends}" if found.ends else ""]
    yield "planned", ", ".join(filter(None, days)) or "no day is set (retire.review, retire.date)"
    for one in found.figures:
        value = "measured elsewhere" if one.value is None else f"{one.value:.4g}"
        mark = "?" if one.met is None else "✓" if one.met else "✗"
        yield "KPI", f"{mark} {one.metric} {value}, {one.limit} asked for"
    for alert in found.alerts:
        yield "alert", f"{alert.watch} of {alert.of}: {alert.sure}"
    for use in found.use:
        yield "asked", f"{use.consumer}: {use.requests} requests in {found.days} days, {use.before} in those before"
    if not found.use:
        yield "asked", f"by nobody in {2 * found.days} days"
    taken = found.taken
    spent = f", {taken.trainings} trainings in {found.days} days ({duration(taken.training_seconds)})"
    yield "takes", f"{taken.bytes / 2**20:.1f} MiB{spent if taken.trainings else ''}"
    if found.successor:
        yield "successor", _follows(found.successor)


def _follows(one: Successor) -> str:
    version = f"version {one.version} answers" if one.version else "nothing is released"
    asks = f"; it also asks for {', '.join(one.asks_too)}" if one.asks_too else ""
    return f"{one.system}: {version}{asks}"


def _document(found: Review) -> dict[str, Any]:
    return {**asdict(found), "alerts": [one.model_dump(mode="json") for one in found.alerts]}
