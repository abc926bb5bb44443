"""What a rollout was told to do, and what it decides to do next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mlstrata.environments import SystemSpec
from mlstrata.environments.spec.rollout import Strategy
from mlstrata.environments.spec.tasks import Task
from mlstrata.services.serving.running import Running

SHADOW = 0
"""The share of a candidate that gets copies alone."""


class Action(StrEnum):
    """Axis: what happens to a rollout next."""

    ADVANCE = "advance"
    WAIT = "wait"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    NEEDS_APPROVAL = "needs_approval"


@dataclass(frozen=True)
class Decision:
    """What happens next.

    Attributes:
        action: What.
        reason: Why, in words and figures.
        share: Percent of the traffic that the candidate gets from now on; None: as it is.
    """

    action: Action
    reason: str
    share: int | None = None


@dataclass(frozen=True)
class Plan:
    """A rollout as it is declared, and where it stands.

    Attributes:
        strategy: How traffic moves.
        shares: Percent of the traffic at each step; 0: copies alone.
        min_sample: Requests of the candidate that a step needs.
        step_time: Shortest time of a step, s.
        approve: Role that approves the promotion; empty: the figures decide alone.
        slowest: Milliseconds within which 99 of 100 requests must be answered.
        errors: Largest share of server errors, 0 to 1.
        gap: Largest difference between groups, 0 to 1; None: no limit.
        exploration: Bandit only: share of requests that try any version.
        step: Which step it is in, from 0.
        share: Percent of the traffic that the candidate gets.
        since: When this step began, in seconds since 1970.
        approved_by: Who approved the promotion; empty: nobody has.
    """

    strategy: Strategy
    shares: tuple[int, ...]
    min_sample: int
    step_time: float
    approve: str
    slowest: float
    errors: float
    gap: float | None
    exploration: float
    step: int
    share: int
    since: float
    approved_by: str

    @property
    def is_last(self) -> bool:
        """Whether no step follows this one."""
        return self.step >= len(self.shares) - 1

    @property
    def next_share(self) -> int:
        """Return the share at the next step."""
        return self.shares[min(self.step + 1, len(self.shares) - 1)]


def shares_of(system: SystemSpec) -> tuple[int, ...]:
    """Return the shares of traffic that a system's rollout goes through, percent."""
    rollout = system.rollout
    return {
        Strategy.CANARY: rollout.steps,
        Strategy.SHADOW: (SHADOW,),
        Strategy.AB: (rollout.share or 50,),
        # Half each, as nothing is known yet.
        Strategy.BANDIT: (50,),
        Strategy.ALL_AT_ONCE: (100,),
    }[rollout.strategy]


def plan_of(system: SystemSpec, running: Running) -> Plan:
    """Return the plan of a rollout under way; what the file says now holds, whatever it said when it began."""
    rollout, fairness = system.rollout, system.monitor.fairness
    strategy = Strategy(running.strategy)
    as_declared = rollout.strategy is strategy
    return Plan(
        strategy=strategy,
        shares=shares_of(system) if as_declared else (running.share,),
        min_sample=rollout.min_sample,
        step_time=rollout.step_time.total_seconds(),
        approve=rollout.approve or "",
        slowest=system.serving.sla.p99.total_seconds() * 1000,
        errors=1 - system.serving.sla.availability / 100,
        gap=fairness.at_most if fairness and system.model.task is Task.CLASSIFICATION else None,
        exploration=0.1 if rollout.exploration is None else rollout.exploration,
        step=running.step,
        share=running.share,
        since=running.since.timestamp(),
        approved_by=running.approved_by,
    )
