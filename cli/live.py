"""What the running platform knows, gathered for the policies: `mlstrata check --live`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.console import err
from cli.context import Context
from cli.release import rollout_context
from environments.spec.serving import ServingMode

if TYPE_CHECKING:
    from policies.live import Live, LiveSystem
    from services.rollout import RolloutContext

GAP = "parity_gap_"


def gather(context: Context) -> Live:
    """Ask registry and rollout about every system that answers requests.

    Raises:
        UsageError: the environment is not up, or runs elsewhere.
        RolloutError: registry or releases cannot be read.
    """
    from policies.live import Live

    context.require_local("check --live")
    rollout = rollout_context(context)
    with err().status("asking the registry …"):
        return Live(
            {
                system.name: _system(rollout, system.name)
                for system in context.spec.systems
                if system.serving.mode is ServingMode.REALTIME
            }
        )


def _system(rollout: RolloutContext, name: str) -> LiveSystem:
    from policies.live import GateOutcome, LiveSystem
    from services.rollout.registry import Registry
    from services.rollout.routing import read_releases

    releases = read_releases(rollout, name)
    if releases.champion is None:
        return LiveSystem()
    registry = Registry(rollout.tracking_uri)
    champion = registry.candidate(name, releases.champion)
    checks = registry.checks(champion)
    gaps = {key.removeprefix(GAP): gap for key, gap in champion.metrics.items() if key.startswith(GAP)}
    return LiveSystem(
        version=champion.version,
        way_back=releases.before_champion() or "",
        released=len({entry.to for entry in releases.history}),
        metrics=champion.metrics,
        # What only warns was for a person to judge before the release.
        gates=None if checks is None else tuple(GateOutcome(c.name, c.passed or c.warns, c.detail) for c in checks),
        bias=gaps,
        bias_measured=champion.registered.date() if gaps and champion.registered else None,
    )
