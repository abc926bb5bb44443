"""`mlstrata release` and `rollback`: which version of a system answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mlstrata.cli.comparison import as_document, show_comparison
from mlstrata.cli.console import confirm, say, say_json
from mlstrata.cli.reporter import Terminal
from mlstrata.operations import release as operation
from mlstrata.operations.deployment import Deployment

if TYPE_CHECKING:
    from mlstrata.operations.releases import Comparison, Release


def release(
    name: str,
    system: str,
    *,
    version: str | None,
    reason: str,
    decider: str | None,
    without_gates: bool,
    all_at_once: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Show a version, the newest by default, beside the champion; release it once that is confirmed."""

    def agree(comparison: Comparison) -> None:
        if not as_json:
            show_comparison(comparison)
        if comparison.candidate != comparison.champion:
            confirm(yes, _question(comparison), as_json)

    comparison, done = operation.release(
        Deployment.open(name),
        system,
        Terminal(quiet=as_json),
        version=version,
        reason=reason,
        decider=decider,
        without_gates=without_gates,
        all_at_once=all_at_once,
        agree=agree,
    )
    _show("released", done, as_json=as_json, comparison=as_document(comparison))


def rollback(name: str, system: str, *, reason: str, decider: str | None, as_json: bool) -> None:
    """Put the previous version back and say which."""
    reporter = Terminal(quiet=as_json)
    done = operation.rollback(Deployment.open(name), system, reporter, reason=reason, decider=decider)
    _show("rolled back to", done, as_json=as_json)


def _question(comparison: Comparison) -> str:
    question = f"Release version {comparison.candidate} of {comparison.system}"
    question += f" in place of {comparison.champion}" if comparison.champion else ""
    doubts = [f"outside of its limits: {', '.join(comparison.objections)}"] if comparison.objections else []
    if comparison.fields:
        doubts.append(f"consumers must send other fields: {', '.join(map(str, comparison.fields))}")
    return question + (f" although {'; '.join(doubts)}?" if doubts else "?")


def _show(verb: str, done: Release, *, as_json: bool, **more: dict[str, Any]) -> None:
    if as_json:
        say_json({**asdict(done), **more})
        return
    if done.rollout:
        tried = "is tried" if done.changed else "is being tried already"
        beside = f"beside version {done.previous}, which answers"
        say(f" {done.system}: version {done.version} {tried} ({done.rollout}) {beside} · {done.seconds:.1f} s")
        for warning in done.warnings:
            say(f"  {warning}")
        return
    before = f"before: version {done.previous}" if done.previous else "the first"
    what = f"{verb} version {done.version} ({before})" if done.changed else f"version {done.version} answers already"
    say(f" {done.system}: {what} · {done.seconds:.1f} s")
    if done.audit:
        say("   audit entry {} · sha256 {}".format(*done.audit.split(":")))
    for warning in done.warnings:
        say(f"  {warning}")
