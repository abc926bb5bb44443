"""What the running platform knows, gathered for the policies: `mlstrata check --live`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstrata.environments import Capability, SystemSpec
from mlstrata.environments.days import day_of
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.operations.deployment import Deployment

if TYPE_CHECKING:
    from mlstrata.operations.releases import Backend
    from mlstrata.operations.reporting import Reporter
    from mlstrata.policies.core.live import Live, LiveSystem

GAP = "parity_gap_"
BUILT = {ServingMode.REALTIME: Capability.SERVING, ServingMode.BATCH: Capability.BATCH}
"""What an environment needs for a system of that kind to be there."""


def gather(deployment: Deployment, reporter: Reporter) -> Live:
    """Ask registry and rollout about every system that answers or scores.

    Raises:
        UsageError: the environment is not up, is neither here nor on a cluster, or its registry cannot be reached.
        RegistryError: the registry does not answer.
        RolloutError: releases cannot be read.
    """
    from mlstrata.policies.core.live import Live

    with reporter.working("asking the registry …"), deployment.target.releasing(lambda _step: None) as target:
        return Live(
            {
                system.name: _system(target, system.name, deployment.spec.timezone)
                for system in deployment.spec.systems
                if BUILT[system.serving.mode] in deployment.spec.capabilities
            }
        )


def gather_one(deployment: Deployment, system: SystemSpec) -> Live:
    """Ask registry and rollout about one system; a system that neither answers nor scores here has nothing to ask.

    Raises:
        UsageError, RegistryError, RolloutError: As `gather`.
    """
    from mlstrata.policies.core.live import Live

    if BUILT[system.serving.mode] not in deployment.spec.capabilities:
        return Live()
    with deployment.target.releasing(lambda _step: None) as target:
        return Live({system.name: _system(target, system.name, deployment.spec.timezone)})


def _system(target: Backend, name: str, timezone: str) -> LiveSystem:
    from mlstrata.policies.core.live import GateOutcome, LiveSystem

    releases, registry = target.releases(name), target.registry
    answers = target.answers(name)
    if answers is None:
        return LiveSystem()
    champion = registry.candidate(name, answers)
    checks = registry.checks(champion.run)
    gaps = {key.removeprefix(GAP): gap for key, gap in champion.metrics.items() if key.startswith(GAP)}
    return LiveSystem(
        version=champion.version,
        rollback_target=releases.before_champion() or "",
        released=len({entry.to for entry in releases.history}),
        metrics=champion.metrics,
        # What only warns was for a person to judge before the release.
        gates=None if checks is None else tuple(GateOutcome(c.name, c.passed or c.warns, c.detail) for c in checks),
        bias=gaps,
        bias_measured=day_of(champion.registered, timezone) if gaps and champion.registered else None,
    )
