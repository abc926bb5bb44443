"""Which version of a system answers: releases and rollbacks, on every target."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlstrata.environments import Stage
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.operations.releases import Comparison, Release
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
    agree: Callable[[Comparison], None] = lambda _comparison: None,
) -> tuple[Comparison, Release]:
    """Compare a version, the newest by default, with the champion, and have it answer.

    Below stage scale a person judges a version's figures; from there on what is declared is a limit for everyone.

    Args:
        deployment: The environment.
        system: The system.
        reporter: Told each step.
        version: A registered version; None: the newest.
        reason: Why; needed where a version answers already.
        decider: Who decides; None: who runs this.
        without_gates: Release a version that no training run reports the gates of; needs a reason.
        agree: Called with the comparison before anything is done; what it raises ends it there.

    Raises:
        UsageError: there is no such system, or no reason was given.
        RolloutError: the version does not answer; the one before goes on answering.
    """
    from mlstrata.operations import releases

    declared, steps = deployment.system(system), Steps()
    limits = declared if Stage.SCALE in deployment.spec.stage.reached else None
    with deployment.target.releasing(steps) as target:
        with reporter.working("comparing …"):
            comparison = releases.compare(target, declared, version)
        if comparison.champion:
            _require_reason(reason, f"version {comparison.champion} answers already; say why it should be replaced")
        if without_gates:
            _require_reason(reason, "nothing says what the version passed; say why it should answer all the same")
        agree(comparison)
        with reporter.working("releasing …") as working:
            steps.tell = lambda step: working(f"releasing · {step}")
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


def rollback(
    deployment: Deployment, system: str, reporter: Reporter, *, reason: str, decider: str | None = None
) -> Release:
    """Have the version before the champion answer again, at once.

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
        return releases.rollback(target, system, reason=reason.strip(), decider=decider)


def _require_reason(reason: str, why: str) -> None:
    if not reason.strip():
        raise UsageError(f'--reason: got nothing; {why}: --reason "…"')
