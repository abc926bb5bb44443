"""When a system learns again without anyone asking."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mlstrata.environments.spec.base import Spec
from mlstrata.environments.spec.quantities import Duration, parse_duration
from mlstrata.environments.spec.text import Unique, Whole


class Cause(StrEnum):
    """Axis: what a monitor found."""

    INPUT_DRIFT = "input_drift"
    OUTPUT_DRIFT = "output_drift"
    PERFORMANCE = "performance"
    FAIRNESS = "fairness"


class RetrainSpec(Spec):
    """What starts a training, and what bounds it: the envelope of changes that the conformity assessment knew of."""

    on: Annotated[tuple[Cause, ...], Unique] = Field(
        default=(), description="Alerts that start a training; none: it starts on request and by model.schedule."
    )
    min_labelled: Annotated[Whole, Field(ge=1, le=10**9)] = Field(
        default=200,
        description="Recorded rows with their truth that a training needs beside the declared data; 200, fewer teach "
        "little.",
    )
    cooldown: Duration = Field(
        default=parse_duration("1d"), description="Shortest time between two of these trainings; 1d, as a window's."
    )
    budget: Annotated[Whole, Field(ge=1, le=1000)] = Field(
        default=4, description="Trainings in 30 days at most; 4, one a week, so that a loop ends itself."
    )
    give_up_after: Annotated[Whole, Field(ge=1, le=100)] = Field(
        default=3,
        description="Trainings in a row whose model was not released before it stops and tells a person; 3.",
    )
