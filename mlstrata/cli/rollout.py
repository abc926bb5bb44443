"""`mlstrata rollout`, `stop` and `resume`: what a person sees of a rollout and says to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import say, say_json
from mlstrata.operations import rollout as operation
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.operations.releases.moves import Done
    from mlstrata.operations.rollout import View


def rollout(
    name: str, system: str, asked: Mapping[str, bool], *, reason: str, decider: str | None, as_json: bool
) -> None:
    """Do the one thing that is asked for, then show how the rollout stands."""
    wanted = [what for what, given in asked.items() if given]
    if len(wanted) > 1:
        given = ", ".join(f"--{what.replace('_', '-')}" for what in wanted)
        raise UsageError(f"rollout: got {given}; one at a time")
    deployment = Deployment.open(name)
    document: dict[str, Any] = {}
    if wanted == ["step"]:
        decision = operation.advance(deployment, system)
        document["decided"] = {"action": decision.action.value, "reason": decision.reason}
        if not as_json:
            say(f" {system}: {decision.action.value.replace('_', ' ')}: {decision.reason}")
    elif wanted == ["let_go"]:
        versions = operation.let_go(deployment, system, reason=reason, decider=decider)
        document["let_go"] = list(versions)
        if not as_json:
            say(f" {system}: " + (f"let go of version {', '.join(versions)}" if versions else "nothing was kept"))
    elif wanted:
        act = {"approve": operation.approve, "abort": operation.abort, "advance": operation.push}[wanted[0]]
        act(deployment, system, reason=reason, decider=decider)
    found = operation.view(deployment, system)
    if as_json:
        say_json({"system": system, **document, **_document(found)})
    else:
        _show(system, found)


def stop(name: str, system: str, *, reason: str, decider: str | None, as_json: bool) -> None:
    """Stop a system and say so."""
    done = operation.stop(Deployment.open(name), system, reason=reason, decider=decider)
    words = f"{'stopped' if done.changed else 'was stopped already'}; every request gets 503 (`stopped`)"
    _tell(system, done, words, stopped=True, as_json=as_json)


def resume(name: str, system: str, *, reason: str, decider: str | None, as_json: bool) -> None:
    """Resume a system and say so."""
    done = operation.resume(Deployment.open(name), system, reason=reason, decider=decider)
    _tell(system, done, "answers again" if done.changed else "was not stopped", stopped=False, as_json=as_json)


def _tell(system: str, done: Done, words: str, *, stopped: bool, as_json: bool) -> None:
    if as_json:
        say_json({"system": system, "stopped": stopped, "changed": done.changed, "audit": done.audit})
        return
    say(f" {system}: {words}")
    for warning in done.warnings:
        say(f"  {warning}")


def _document(found: View) -> dict[str, Any]:
    running, evidence = found.releases.rollout, found.evidence
    return {
        "champion": found.releases.champion,
        "rollout": running.model_dump(mode="json") if running else None,
        "stopped": found.releases.stopped.model_dump(mode="json") if found.releases.stopped else None,
        "held": list(found.releases.held),
        "evidence": {
            "champion": operation.figures(evidence.champion),
            "candidate": operation.figures(evidence.candidate),
        },
        "next": {
            "action": found.decision.action.value,
            "reason": found.decision.reason,
            "share": found.decision.share,
        },
    }


def _show(system: str, found: View) -> None:
    releases, running = found.releases, found.releases.rollout
    if releases.stopped:
        since = f"{releases.stopped.when:%Y-%m-%d %H:%M} UTC"
        say(f" {system}: stopped by {releases.stopped.who} since {since}: {releases.stopped.why}")
    if running is None:
        answers = f"version {releases.champion} answers everything" if releases.champion else "nothing is released"
        say(f" {system}: no rollout is under way; {answers}")
    else:
        share = "copies only" if running.strategy == "shadow" else f"{running.share} % of the traffic"
        say(f" {system}: version {running.candidate} is tried beside {releases.champion} ({running.strategy}, {share})")
        say(f"   begun {running.begun:%Y-%m-%d %H:%M} UTC by {running.who}: {running.why}")
        for version, seen in (
            (releases.champion, found.evidence.champion),
            (running.candidate, found.evidence.candidate),
        ):
            worth = f", worth {seen.value.mean:.4g} of {seen.value.count}" if seen.value.count else ""
            figures = f"{seen.requests} requests, {seen.errors} errors, {seen.slow} slow, {seen.fallbacks} fallbacks"
            say(f"   version {version}: {figures}{worth}")
        say(f"   next: {found.decision.action.value.replace('_', ' ')}: {found.decision.reason}")
    if releases.held:
        say(f"   kept as they were taken back: version {', '.join(releases.held)} (--let-go removes them)")
