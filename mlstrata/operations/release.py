"""Which version of a system answers: releases and rollbacks, on every target."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlstrata.environments import Stage, SystemSpec
from mlstrata.environments.spec.rollout import Strategy
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.stages import Capability
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.operations.releases import Backend, Comparison, Release
    from mlstrata.operations.reporting import Reporter


class Steps:
    """Passes on the name of each step of a rollout, to whoever shows it at that moment."""

    tell: Callable[[str], None] | None = None

    def __call__(self, step: str) -> None:
        """Pass on a step."""
        if self.tell:
            self.tell(step)


def release(
    deployment: Deployment,
    system: str,
    reporter: Reporter,
    *,
    version: str | None = None,
    reason: str = "",
    decider: str | None = None,
    without_gates: bool = False,
    all_at_once: bool = False,
    agree: Callable[[Comparison], None] = lambda _comparison: None,
) -> tuple[Comparison, Release]:
    """Compare a version, the newest by default, with the champion, and have it answer.

    Where the system declares a rollout, the platform can do one and a version answers already, it is tried beside that
    one first; the figures decide then. Below stage scale a person judges a version's figures; from there on what is
    declared is a limit for everyone.

    Args:
        deployment: The environment.
        system: The system.
        reporter: Told each step.
        version: A registered version; None: the newest.
        reason: Why; needed where a version answers already.
        decider: Who decides; None: who runs this.
        without_gates: Release a version that no training run reports the gates of; needs a reason.
        all_at_once: Have it answer everything at once, whatever the file says; needs a reason.
        agree: Called with the comparison before anything is done; what it raises ends it there.

    Raises:
        UsageError: there is no such system, or no reason was given.
        RolloutError: the version does not answer; the one before goes on answering.
    """
    from mlstrata.operations import releases

    declared, steps = deployment.system(system), Steps()
    limits = limits_of(deployment, declared)
    with deployment.target.releasing(steps) as target:
        with reporter.working("comparing …"):
            comparison = releases.compare(target, declared, version)
        if comparison.champion:
            _require_reason(reason, f"version {comparison.champion} answers already; say why it should be replaced")
        if without_gates:
            _require_reason(reason, "nothing says what the version passed; say why it should answer all the same")
        if all_at_once:
            _require_reason(reason, "the declared rollout is passed over; say why")
        agree(comparison)
        with reporter.working("releasing …") as working:
            steps.tell = lambda step: working(f"releasing · {step}")
            replaces = comparison.champion not in {None, comparison.candidate}
            if replaces and not all_at_once and rolls_out(deployment, declared):
                from mlstrata.operations.releases.beginning import begin

                tried = begin(
                    target,
                    declared,
                    comparison.candidate,
                    reason=reason.strip(),
                    decider=decider,
                    limits=limits,
                    without_gates=without_gates,
                )
                return comparison, tried
            # The version that was compared: a newer one may have been registered while a person thought about it.
            done = releases.release(
                target,
                system,
                comparison.candidate,
                reason=reason.strip(),
                decider=decider,
                limits=limits,
                without_gates=without_gates,
                own_code=declared.model.brings_code,
            )
    return comparison, done


def limits_of(deployment: Deployment, declared: SystemSpec) -> SystemSpec | None:
    """Return the declaration whose figures a version must meet; below stage scale a person judges them."""
    return declared if Stage.SCALE in deployment.spec.stage.reached else None


def rolls_out(deployment: Deployment, system: SystemSpec) -> bool:
    """Return whether a new version of a system is tried beside the one that answers before it takes over."""
    declared = system.rollout.strategy is not Strategy.ALL_AT_ONCE and system.serving.mode is ServingMode.REALTIME
    return declared and Capability.ROLLOUT in deployment.spec.capabilities


def rollback(
    deployment: Deployment, system: str, reporter: Reporter, *, reason: str, decider: str | None = None
) -> Release:
    """Have the version before the champion answer again, at once; while a rollout runs, the champion alone.

    Raises:
        UsageError: there is no such system, or no reason was given.
        RolloutError: there is no version to go back to, or it does not answer.
    """
    from mlstrata.operations import releases

    deployment.system(system)
    _require_reason(reason, "say why the version that answers should not")
    steps = Steps()
    with reporter.working("rolling back …") as working, deployment.target.releasing(steps, urgent=True) as target:
        steps.tell = lambda step: working(f"rolling back · {step}")
        if aborted := _aborted(target, system, reason.strip(), decider):
            return aborted
        return releases.rollback(target, system, reason=reason.strip(), decider=decider)


def _aborted(target: Backend, system: str, reason: str, decider: str | None) -> Release | None:
    """End a rollout under way, or go on with ending it; None: there is none to end."""
    from mlstrata.operations.releases import Release
    from mlstrata.operations.releases.progress import abort

    before = target.releases(system)
    died = before.moved is not None and before.moved.kind == "rollout-abort" and not before.settled
    if before.rollout is None and not died:
        return None
    tried = before.rollout.candidate if before.rollout else before.moved.to if before.moved else None
    done = abort(target, system, reason=reason, decider=decider)
    champion = done.releases.champion or ""
    return Release(system, champion, tried, True, {}, 0.0, done.warnings, done.audit)


def _require_reason(reason: str, why: str) -> None:
    if not reason.strip():
        raise UsageError(f'--reason: got nothing; {why}: --reason "…"')
