"""The rollout of a system, its kill switch, and what a person says to either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.release import limits_of

if TYPE_CHECKING:
    from mlstrata.environments import SystemSpec
    from mlstrata.operations.releases.moves import Done
    from mlstrata.operations.targets.local import Local
    from mlstrata.services.recording.store import Store
    from mlstrata.services.rollout.evidence import Evidence, Seen
    from mlstrata.services.rollout.plan import Decision
    from mlstrata.services.rollout.tally import Tallies
    from mlstrata.services.serving.releases import Releases

BY_ITSELF = "rollout"
"""Who decides by the figures alone, as the audit log names it."""


@dataclass(frozen=True)
class View:
    """How a system's rollout stands.

    Attributes:
        releases: What holds.
        decision: What would be decided now.
        evidence: What both versions did since the step began.
    """

    releases: Releases
    decision: Decision
    evidence: Evidence


def figures(seen: Seen) -> dict[str, float | int | None]:
    """Return what one version did, as plain values."""
    from mlstrata.services.rollout.standing import Figures

    return Figures.of(seen).model_dump(mode="json")


def view(deployment: Deployment, system: str, now: datetime | None = None, *, store: Store | None = None) -> View:
    """Return how a rollout stands and what would be decided now; nothing is changed.

    Raises:
        UsageError: there is no such system.
    """
    from mlstrata.operations.releases.progress import consider
    from mlstrata.services.rollout.tally import Tallies

    declared, here = deployment.system(system), _here(deployment, "rollout")
    releases = here.released(system)
    with _store(deployment, store) as opened:
        decision, evidence = consider(declared, releases, opened, now or datetime.now(UTC), Tallies())
    return View(releases, decision, evidence)


def advance(
    deployment: Deployment,
    system: str,
    now: datetime | None = None,
    *,
    store: Store | None = None,
    tallies: Tallies | None = None,
    decider: str = BY_ITSELF,
    on_step: Callable[[str], None] = lambda _step: None,
) -> Decision:
    """Decide what happens next to a system's rollout and carry it out; the same again changes nothing.

    Args:
        deployment: The environment.
        system: The system.
        now: Now; None: by the clock.
        store: What is recorded; None: it is opened and closed again.
        tallies: What was counted by the last call; None: all is counted now.
        decider: Who decides.
        on_step: Called with each step before it is done.

    Raises:
        RolloutError: another decision is under way, or what serves does not follow.
        UsageError: there is no such system, or what was recorded cannot be read.
    """
    from mlstrata.operations.releases import progress

    declared, here = deployment.system(system), _here(deployment, "rollout")
    backend, now = here.rollout(on_step), now or datetime.now(UTC)

    def note(releases: Releases, decision: Decision, evidence: Evidence) -> None:
        with suppress(OSError):  # what people look at must not hold up a rollback
            _note(deployment, declared, releases, decision, evidence=evidence, now=now)

    with _store(deployment, store) as opened:
        return progress.advance(
            backend,
            declared,
            opened,
            now,
            tallies=tallies,
            on_considered=note,
            decider=decider,
            limits=limits_of(deployment, declared),
        )


def approve(deployment: Deployment, system: str, *, reason: str, decider: str | None = None) -> Done:
    """Approve that the candidate answers everything; it does once the figures allow it.

    Raises:
        RolloutError: there is no rollout.
        UsageError: there is no such system, or no reason was given.
    """
    from mlstrata.operations.releases import progress

    backend = _decided(deployment, system, reason, "say why it may answer everything").rollout()
    return progress.approve(backend, system, reason=reason.strip(), decider=decider or backend.decider)


def abort(deployment: Deployment, system: str, *, reason: str, decider: str | None = None) -> Done:
    """Have the champion answer everything again.

    Raises:
        RolloutError: there is no rollout, or the gateway does not follow.
        UsageError: there is no such system, or no reason was given.
    """
    from mlstrata.operations.releases import progress

    backend = _decided(deployment, system, reason, "say why it should not go on").rollout()
    return progress.abort(backend, system, reason=reason.strip(), decider=decider)


def push(deployment: Deployment, system: str, *, reason: str, decider: str | None = None) -> Releases:
    """Go to the next step, or after the last one promote, though the figures do not ask for it.

    Raises:
        RolloutError: there is no rollout, or the candidate does not pass the gates of a release.
        UsageError: there is no such system, or no reason was given.
    """
    from mlstrata.operations.releases import progress

    declared = deployment.system(system)
    backend = _decided(deployment, system, reason, "say why the figures need not be awaited").rollout()
    return progress.push(
        backend,
        declared,
        reason=reason.strip(),
        decider=decider or backend.decider,
        limits=limits_of(deployment, declared),
    )


def stop(deployment: Deployment, system: str, *, reason: str, decider: str | None = None) -> Done:
    """Have the gateway refuse every request to a system, and no job score for it, until somebody resumes it.

    Raises:
        RolloutError: nothing answers, or the gateway does not follow; it stays decided.
        UsageError: there is no such system, or no reason was given.
    """
    from mlstrata.operations.releases import halt

    backend = _decided(deployment, system, reason, "say why nothing may answer", "stop").rollout()
    return halt.stop(backend, system, reason=reason.strip(), decider=decider or backend.decider)


def resume(deployment: Deployment, system: str, *, reason: str, decider: str | None = None) -> Done:
    """Have a stopped system answer again, as it did before.

    Raises:
        RolloutError: the gateway does not follow.
        UsageError: there is no such system, or no reason was given.
    """
    from mlstrata.operations.releases import halt

    backend = _decided(deployment, system, reason, "say why it may answer again", "resume").rollout()
    return halt.resume(backend, system, reason=reason.strip(), decider=decider or backend.decider)


def let_go(deployment: Deployment, system: str, *, reason: str, decider: str | None = None) -> tuple[str, ...]:
    """Let go of the versions that were kept as they were when they were taken back.

    Raises:
        RolloutError: it cannot be recorded.
        UsageError: there is no such system, or no reason was given.
    """
    from mlstrata.operations.releases import halt

    backend = _decided(deployment, system, reason, "say why nobody needs them any more").rollout()
    return halt.let_go(backend, system, reason=reason.strip(), decider=decider or backend.decider)


def _note(
    deployment: Deployment,
    system: SystemSpec,
    releases: Releases,
    decision: Decision,
    *,
    evidence: Evidence,
    now: datetime,
) -> None:
    """Write down how a rollout stands.

    Raises:
        OSError: It cannot be written.
    """
    from mlstrata.services.rollout.plan import plan_of
    from mlstrata.services.rollout.standing import Standing

    running, champion = releases.rollout, releases.champion
    if running is not None and champion is not None:
        plan = plan_of(system, running)
        found = Standing.of(champion, running, plan, decision, evidence=evidence, now=now.timestamp())
        found.leave(deployment.home, system.name)


def _here(deployment: Deployment, command: str) -> Local:
    return deployment.target.here(command)


def _decided(deployment: Deployment, system: str, reason: str, why: str, command: str = "rollout") -> Local:
    deployment.system(system)
    if not reason.strip():
        raise UsageError(f'--reason: got nothing; {why}: --reason "…"')
    return _here(deployment, command)


@contextmanager
def _store(deployment: Deployment, given: Store | None) -> Iterator[Store | None]:
    """Give the store to read from; one that was given stays open."""
    if given is not None:
        yield given
        return
    from mlstrata.services.recording.sqlite import open_store
    from mlstrata.services.recording.store import StoreUnreadableError

    try:
        opened = open_store(deployment.home, read_only=True)
    except FileNotFoundError:
        # Nothing was recorded, so nothing is known: the figures wait, a person need not.
        yield None
        return
    except StoreUnreadableError as error:
        raise UsageError(str(error)) from None
    try:
        yield opened
    except StoreUnreadableError as error:
        raise UsageError(str(error)) from None
    finally:
        opened.close()
