"""What a system must achieve, and who agreed to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from pydantic import Field, model_validator

from mlstrata.environments.redaction import is_public, shown
from mlstrata.environments.spec.base import Problem, Spec, refuse, suggestion
from mlstrata.environments.spec.quantities import Day
from mlstrata.environments.spec.text import Document, Figure, Name, Number, Word


class EvaluationMetric(StrEnum):
    """Axis: what the evaluation step of the training pipeline measures by itself."""

    AUC = "auc"
    PR_AUC = "pr_auc"
    ACCURACY = "accuracy"
    BALANCED_ACCURACY = "balanced_accuracy"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    SPECIFICITY = "specificity"
    LOG_LOSS = "log_loss"
    BRIER = "brier"
    R2 = "r2"
    MAE = "mae"
    RMSE = "rmse"
    MEDIAN_ABSOLUTE_ERROR = "median_absolute_error"
    PINBALL = "pinball"
    MAPE = "mape"


_ALL = tuple(EvaluationMetric)
MEASURED: Mapping[str, tuple[EvaluationMetric, ...]] = {
    "classification": _ALL[: _ALL.index(EvaluationMetric.R2)],
    "regression": _ALL[_ALL.index(EvaluationMetric.R2) :],
}
"""Task to what is measured of it; nothing is of what generates. A test holds this table to what the steps measure."""


def misfit(metric: str, task: str, at: tuple[str | int, ...], fix: str, own: Collection[str] = ()) -> Problem | None:
    """Return what is wrong with a metric that evaluation does not measure of a task; None: it does.

    Args:
        metric: Its name.
        task: The model's.
        at: Where the file names it.
        fix: What to do where no name is near.
        own: Names of the metrics that the model declares itself.
    """
    if task not in MEASURED or metric in MEASURED[task] or metric in own:
        return None
    what = f"got {shown(metric)}, which evaluation does not measure"
    what += f" of a {task}" if metric in _ALL else ""
    allowed = (*MEASURED[task], *filter(is_public, own))
    near = suggestion(metric, allowed)
    return Problem(at, f"{what}; allowed {', '.join(allowed)}", f"{near} {fix}".strip())


class KpiSpec(Spec):
    """A figure and its limit."""

    metric: Figure = Field(
        description="Figure that training measures: of a classification auc, pr_auc, accuracy, balanced_accuracy, "
        "precision, recall, f1, specificity, log_loss, brier (of many classes the mean over them), of a regression r2, "
        "mae, rmse, median_absolute_error, pinball, mape; a name of `model.metrics`; of several outputs NAME.METRIC; "
        "or any name with a `source`."
    )
    at_least: Number | None = Field(default=None, description="Lowest acceptable value, in the metric's own unit.")
    at_most: Number | None = Field(default=None, description="Highest acceptable value, in the metric's own unit.")
    source: Name | None = Field(
        default=None,
        description="Who measures it after release, such as review-queue; none: the training pipeline does, and a "
        "model that misses it is not registered.",
    )

    @property
    def gates(self) -> bool:
        """Return whether the training pipeline measures it, and so holds back a model that misses it."""
        return self.source is None

    @property
    def limit(self) -> str:
        """Return the limit in words, such as `at least 0.75`."""
        bounds = (("at least", self.at_least), ("at most", self.at_most))
        return " and ".join(f"{words} {bound:g}" for words, bound in bounds if bound is not None)

    def met_by(self, value: float) -> bool:
        """Return whether `value` is within the limits; a limit itself is within."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    @model_validator(mode="after")
    def _has_a_limit(self) -> KpiSpec:
        problems = []
        if self.at_least is None and self.at_most is None:
            problems.append(Problem((), "has neither at_least nor at_most", "add one of them"))
        elif self.at_least is not None and self.at_most is not None:
            problems.append(Problem((), "has both at_least and at_most", "write two KPIs, one for each limit"))
        refuse(problems)
        return self


class SponsorSpec(Spec):
    """Who wants the system, and since when it is approved."""

    name: Word = Field(description="Person or role that pays for the system and decides whether it continues.")
    approved: Day | None = Field(
        default=None, description="Day of the approval, YYYY-MM-DD; none: it has not been given."
    )
    reference: Document | None = Field(default=None, description="Where the approval is kept; none: it is not filed.")
