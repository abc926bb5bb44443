"""A rollout on its way: advance, approve, abort; `beginning.py` begins one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlstrata.audit import fitted
from mlstrata.environments import SystemSpec
from mlstrata.environments.spec.rollout import Strategy
from mlstrata.operations.releases import moves
from mlstrata.operations.releases.backend import Backend
from mlstrata.operations.releases.decision import Release
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.rollout import UNGATED, begun, release
from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.running import Moved, Running

if TYPE_CHECKING:
    from mlstrata.services.recording.store import Store
    from mlstrata.services.rollout.evidence import Evidence
    from mlstrata.services.rollout.plan import Decision
    from mlstrata.services.rollout.tally import Tallies


def evidence_of(system: SystemSpec, releases: Releases, store: Store | None, tallies: Tallies) -> Evidence:
    """Count what champion and candidate did since the step began; with a bandit, since the rollout did."""
    from mlstrata.environments.spec.monitor import FairnessMetric
    from mlstrata.services.rollout.evidence import Evidence, Reading, Seen
    from mlstrata.services.rollout.tally import Wanted

    running = releases.rollout
    if running is None or releases.champion is None:
        tallies.forget(system.name)
        return Evidence(Seen(), Seen())
    if store is None:
        return Evidence(Seen(), Seen())
    fairness = system.monitor.fairness
    since = running.begun if running.strategy == Strategy.BANDIT.value else running.since
    reading = Reading(
        system.model.positive_text,
        system.serving.sla.p99.total_seconds() * 1000,
        (fairness.metric if fairness else None) or FairnessMetric.DEMOGRAPHIC_PARITY,
    )
    wanted = Wanted(
        system=system.name,
        champion=releases.champion,
        candidate=running.candidate,
        since=since.timestamp(),
        reading=reading,
        groups=fairness is not None,
    )
    return tallies.read(wanted, store)


def consider(
    system: SystemSpec, releases: Releases, store: Store | None, now: datetime, tallies: Tallies
) -> tuple[Decision, Evidence]:
    """Return what happens next to a system's rollout, and the evidence for it; nothing is changed."""
    from mlstrata.services.rollout.decide import decide
    from mlstrata.services.rollout.plan import Action, Decision, plan_of

    evidence = evidence_of(system, releases, store, tallies)
    if releases.rollout is None:
        return Decision(Action.WAIT, "no rollout is under way"), evidence
    if releases.stopped:
        return Decision(Action.WAIT, f"the system is stopped: {releases.stopped.why}"), evidence
    return decide(plan_of(system, releases.rollout), evidence, now.timestamp()), evidence


def advance(
    backend: Backend,
    system: SystemSpec,
    store: Store | None,
    now: datetime,
    *,
    tallies: Tallies | None = None,
    on_considered: Callable[[Releases, Decision, Evidence], None] = lambda *_: None,
    decider: str | None = None,
    limits: SystemSpec | None = None,
) -> Decision:
    """Decide what happens next to a system's rollout and carry it out; whatever died on its way is ended first.

    Args:
        backend: The environment.
        system: The system.
        store: What is recorded; None: nothing is.
        now: Now.
        tallies: What was counted by the last call; None: all is counted now.
        on_considered: Called with what is decided about which releases, and by what, before it is carried out.
        decider: Who decides; None for the backend's own.
        limits: The declaration whose figures a version that is promoted must meet.

    Raises:
        RolloutError: another decision is under way, or what serves does not follow.
    """
    from mlstrata.services.rollout.plan import Action
    from mlstrata.services.rollout.tally import Tallies

    before = mended(backend, system.name)
    decision, evidence = consider(system, before, store, now, tallies or Tallies())
    on_considered(before, decision, evidence)
    running = before.rollout
    if running is None:
        return decision
    who = decider or backend.decider
    # Names of groups are in it, as callers told them: whatever they hold, a candidate that is worse is taken back.
    reason = fitted(decision.reason)
    if decision.action is Action.PROMOTE:
        promote(backend, system, running, reason=reason, decider=running.approved_by or who, limits=limits)
    elif decision.action is Action.ROLL_BACK:
        abort(backend, system.name, reason=reason, decider=who, of=running)
    elif decision.action is Action.ADVANCE and decision.share is not None:
        kind: Moved = "rollout-shares" if running.strategy == Strategy.BANDIT.value else "rollout-advance"
        step = running.step + (kind == "rollout-advance")
        changed = running.model_copy(update={"share": decision.share, "step": step, "since": now})
        _change(backend, system.name, running, changed, moves.Told(kind, running.candidate, who, reason))
    return decision


def mended(backend: Backend, system: str) -> Releases:
    """Return the releases of a system, with a decision that died on its way ended.

    Raises:
        RolloutError: it cannot be ended now.
    """
    found = backend.releases(system)
    if found.settled:
        return found
    if found.moved:
        with begun(backend, system, "rollback") as rollout:
            return moves.finish(backend, rollout, system).releases
    last = found.history[-1] if found.history else None
    if last and last.kind == "release" and last.to == found.champion:
        release(backend, system, last.to, reason=last.why, decider=last.who)
    return backend.releases(system)


def promote(
    backend: Backend,
    system: SystemSpec,
    running: Running,
    *,
    reason: str,
    decider: str,
    limits: SystemSpec | None = None,
) -> Release:
    """Have the candidate answer everything, if it passes the gates of a release still.

    Raises:
        RolloutError: it does not, or the rollout changed meanwhile.
    """
    ungated = running.why.startswith(UNGATED)
    return release(
        backend,
        system.name,
        running.candidate,
        reason=f"{running.strategy}: {reason}"[:900],
        decider=decider,
        limits=limits,
        without_gates=ungated,
        own_code=system.model.brings_code,
        ends=running,
    )


def abort(
    backend: Backend, system: str, *, reason: str, decider: str | None = None, of: Running | None = None
) -> moves.Done:
    """Have the champion answer everything again; the candidate's files are kept for whoever looks into it.

    Raises:
        RolloutError: there is no rollout, or it is another one by now.
    """

    def end(before: Releases, running: Running) -> Releases:
        held = tuple(sorted({*before.held, running.candidate}, key=int))
        return before.model_copy(update={"rollout": None, "challenger": None, "shadow": None, "held": held})

    with begun(backend, system, "rollback") as rollout:
        before = rollout.before
        if before.rollout is None and before.moved and before.moved.kind == "rollout-abort" and not before.settled:
            return moves.finish(backend, rollout, system)
        running = _same(system, before, of)
        told = moves.Told("rollout-abort", running.candidate, decider or backend.decider, reason[:900], running.metrics)
        return moves.carry_out(backend, rollout, system, end(before, running), told)


def approve(backend: Backend, system: str, *, reason: str, decider: str) -> moves.Done:
    """Approve the promotion of the candidate, which follows once the figures allow it.

    Raises:
        RolloutError: there is no rollout.
    """
    running = _same(system, mended(backend, system), None)
    told = moves.Told("rollout-approve", running.candidate, decider, reason, running.metrics)
    return _change(backend, system, running, running.model_copy(update={"approved_by": decider}), told)


def push(
    backend: Backend, system: SystemSpec, *, reason: str, decider: str, limits: SystemSpec | None = None
) -> Releases:
    """Go to the next step though the figures do not ask for it: a person answers for it.

    Raises:
        RolloutError: there is no rollout, or the candidate does not pass the gates of a release.
    """
    from mlstrata.services.rollout.plan import plan_of

    running = _same(system.name, mended(backend, system.name), None)
    plan = plan_of(system, running)
    if plan.is_last:
        promote(backend, system, running, reason=reason, decider=decider, limits=limits)
        return backend.releases(system.name)
    now = datetime.now(UTC)
    changed = running.model_copy(update={"share": plan.next_share, "step": running.step + 1, "since": now})
    told = moves.Told("rollout-advance", running.candidate, decider, reason, running.metrics, now)
    return _change(backend, system.name, running, changed, told).releases


def _change(backend: Backend, system: str, of: Running, to: Running, told: moves.Told) -> moves.Done:
    with begun(backend, system, "release") as rollout:
        _same(system, rollout.before, of)
        wanted = rollout.before.model_copy(update={"rollout": to})
        return moves.carry_out(backend, rollout, system, wanted, told)


def _same(system: str, before: Releases, of: Running | None) -> Running:
    if before.rollout is None:
        raise RolloutError(f"{system}: no rollout is under way")
    if of is not None and before.rollout != of:
        raise RolloutError(f"{system}: the rollout changed meanwhile; look again")
    return before.rollout
