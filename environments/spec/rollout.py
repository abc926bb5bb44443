"""How a new version takes over."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, model_validator

from mlstrata.environments.spec.base import Problem, Spec, refuse
from mlstrata.environments.spec.quantities import Duration, Share, parse_duration
from mlstrata.environments.spec.text import Whole, Word


class Strategy(StrEnum):
    """Axis: how traffic moves from the champion to the challenger."""

    CANARY = "canary"
    SHADOW = "shadow"
    AB = "ab"
    BANDIT = "bandit"
    ALL_AT_ONCE = "all_at_once"


Step = Annotated[Whole, Field(ge=1, le=100)]
# What a strategy takes where the file says nothing: a tenth shows most errors, half shows the load.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "canary": {"steps": (10, 50)},
    "ab": {"share": 50},
    "bandit": {"exploration": 0.1},
}
_OWN = {"steps": Strategy.CANARY, "share": Strategy.AB, "exploration": Strategy.BANDIT}


class RolloutSpec(Spec):
    """How traffic moves to a new version, and what it waits for."""

    strategy: Strategy = Field(
        default=Strategy.ALL_AT_ONCE,
        description="canary, shadow, ab, bandit or all_at_once; the last, as nothing judges a model before `scale`.",
    )
    steps: tuple[Step, ...] = Field(
        default=(), description="canary only: percent of traffic at each step, rising; 10 and 50 where none are given."
    )
    share: Step | None = Field(
        default=None, description="ab only: percent of traffic the challenger gets; 50 where none is given."
    )
    exploration: Share | None = Field(
        default=None, description="bandit only: share of requests that try any version; 0.1 where none is given."
    )
    min_sample: Annotated[Whole, Field(ge=1, le=10**9)] = Field(
        default=500, description="Requests a step must have seen; 500, enough to see one error in a hundred."
    )
    step_time: Duration = Field(
        default=parse_duration("10m"), description="Shortest time a step lasts; 10m, two scrapes of slow trouble."
    )
    approve: Word | None = Field(
        default=None, description="Role that approves the last step; none: the figures decide alone."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(strategy := data.get("strategy"), str):
            missing = {k: v for k, v in _DEFAULTS.get(strategy, {}).items() if not data.get(k)}
            return {**data, **missing}
        return data

    @model_validator(mode="after")
    def _fits_the_strategy(self) -> RolloutSpec:
        problems = [
            Problem(
                (field,),
                f"is given, but strategy {self.strategy} has none",
                f"remove {field}, or set strategy: {owner}",
            )
            for field, owner in _OWN.items()
            if getattr(self, field) not in {None, ()} and self.strategy is not owner
        ]
        for index, (before, after) in enumerate(zip(self.steps, self.steps[1:], strict=False), start=1):
            if after <= before:
                what = f"got {after} after {before}, but traffic must rise from step to step"
                problems.append(Problem(("steps", index), what, "write the steps in rising order, such as [5, 25, 50]"))
        refuse(problems)
        return self
