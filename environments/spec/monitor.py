"""What is watched while a system runs."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from mlstrata.environments.spec.base import Spec, wrong
from mlstrata.environments.spec.quantities import Duration, Share, parse_duration
from mlstrata.environments.spec.text import Column, Number, Unique, Whole

_PAIR = 2


class FairnessMetric(StrEnum):
    """Axis: which difference between groups counts."""

    DEMOGRAPHIC_PARITY = "demographic_parity"
    EQUAL_OPPORTUNITY = "equal_opportunity"
    EQUALIZED_ODDS = "equalized_odds"
    RESIDUAL_DIFFERENCE = "residual_difference"
    PREDICTION_DIFFERENCE = "prediction_difference"
    ERROR_DIFFERENCE = "error_difference"


_RATES = (FairnessMetric.DEMOGRAPHIC_PARITY, FairnessMetric.EQUAL_OPPORTUNITY, FairnessMetric.EQUALIZED_ODDS)
COMPARED: Mapping[str, tuple[FairnessMetric, ...]] = {
    "classification": _RATES,
    "regression": tuple(one for one in FairnessMetric if one not in _RATES),
}
"""Task to the differences between groups that it has, the usual one first; a test holds this table to the steps."""


def _range(value: object) -> tuple[float, float]:
    allowed = "two numbers, the lowest and the highest, such as [0, 1]"
    if not isinstance(value, list | tuple) or len(value) != _PAIR:
        raise wrong(allowed)
    low, high = value
    for bound in (low, high):
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not float("-inf") < bound < float("inf"):
            raise wrong(allowed)
    if low >= high:
        raise wrong(allowed, f"swap them: {low} is not below {high}" if low > high else "let them differ")
    return float(low), float(high)


Range = Annotated[
    tuple[float, float],
    PlainValidator(_range),
    PlainSerializer(list, return_type=list[float]),
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
]


class DriftSpec(Spec):
    """When inputs count as drifted from what the model was trained on."""

    psi: Annotated[Number, Field(gt=0, le=10)] = Field(
        default=0.2, description="Population stability index of a column that raises an alert; 0.2, the usual limit."
    )
    window: Duration = Field(
        default=parse_duration("1d"), description="Time over which traffic is compared; 1d, so day and night are in it."
    )
    min_sample: Annotated[Whole, Field(ge=10, le=10**9)] = Field(
        default=500, description="Predictions below which nothing is judged; 500, below it noise looks like drift."
    )


class FairnessSpec(Spec):
    """How far groups may differ."""

    metric: FairnessMetric | None = Field(
        default=None,
        description="Difference that counts; none: demographic_parity, which needs no outcomes and so is known at "
        "once, of a regression residual_difference: who is over-estimated against whom.",
    )
    at_most: Share = Field(
        description="Largest acceptable difference, 0 to 1, of a regression in standard deviations of the target; "
        "required, as it is a decision about people."
    )


class MonitorSpec(Spec):
    """What is monitored; every system has alerts on errors, latency and resources."""

    drift: DriftSpec = Field(default=DriftSpec(), description="When inputs count as drifted.")
    fairness: FairnessSpec | None = Field(
        default=None, description="How far protected groups may differ; none: it is measured, with no limit."
    )
    range: dict[Column, Range] = Field(
        default_factory=dict,
        description="Column or output (probability, of a regression value) to its lowest and highest plausible value, "
        "in its own unit; empty: what training saw.",
    )
    groups: Annotated[tuple[Column, ...], Unique] = Field(
        default=(), description="Columns by which quality is reported apart; none: the protected attributes."
    )
