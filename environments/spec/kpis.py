"""What a system must achieve, and who agreed to it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from environments.spec.base import Problem, Spec, refuse
from environments.spec.quantities import Day
from environments.spec.text import Document, Identifier, Name, Number, Word

EVALUATION = "evaluation"


class EvaluationMetric(StrEnum):
    """Axis: what the training pipeline's evaluation step measures by itself."""

    AUC = "auc"
    AVERAGE_PRECISION = "average_precision"
    ACCURACY = "accuracy"
    BALANCED_ACCURACY = "balanced_accuracy"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    LOG_LOSS = "log_loss"
    BRIER = "brier"
    PARITY_GAP = "parity_gap"
    MAE = "mae"
    RMSE = "rmse"
    R2 = "r2"


class KpiSpec(Spec):
    """A figure and its limit."""

    metric: Identifier = Field(
        description="Name of the figure; one that evaluation measures (auc, f1, …), or any name together with `source`."
    )
    at_least: Number | None = Field(default=None, description="Lowest acceptable value, in the metric's own unit.")
    at_most: Number | None = Field(default=None, description="Highest acceptable value, in the metric's own unit.")
    source: Name = Field(
        default=EVALUATION,
        description="Who measures it; evaluation: the training pipeline, and a model that misses it is not registered.",
    )

    @property
    def gates(self) -> bool:
        """Return whether the training pipeline measures it, and so holds back a model that misses it."""
        return self.source == EVALUATION

    def met_by(self, value: float) -> bool:
        """Return whether `value` is within the limits; a limit itself is within."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    @model_validator(mode="after")
    def _has_a_limit(self) -> KpiSpec:
        problems = []
        if self.at_least is None and self.at_most is None:
            problems.append(Problem((), "has neither at_least nor at_most", "add one of them"))
        elif self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            what = f"got {self.at_least}, more than at_most ({self.at_most})"
            problems.append(Problem(("at_least",), what, "lower at_least or raise at_most"))
        if self.gates and self.metric not in set(EvaluationMetric):
            known = ", ".join(EvaluationMetric)
            what = f"got '{self.metric}', which evaluation does not measure; allowed {known}"
            problems.append(Problem(("metric",), what, "choose one of these, or name who measures it in `source`"))
        refuse(problems)
        return self


class SponsorSpec(Spec):
    """Who wants the system, and since when it is approved."""

    name: Word = Field(description="Person or role that pays for the system and decides whether it goes on.")
    approved: Day | None = Field(
        default=None, description="Day of the approval, YYYY-MM-DD; none: it has not been given."
    )
    reference: Document | None = Field(default=None, description="Where the approval is kept; none: it is not filed.")
