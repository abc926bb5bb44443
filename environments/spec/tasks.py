"""What a model answers, and how it learns to."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Task(StrEnum):
    """Axis: what comes out of the model."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    GENERATION = "generation"
    SEVERAL = "several"

    @property
    def output(self) -> str:
        """Return what its answer is called in `monitor.range`; several have names of their own there."""
        return "value" if self is Task.REGRESSION else "probability"


class Algorithm(StrEnum):
    """Axis: how the training pipeline learns."""

    LOGISTIC_REGRESSION = "logistic_regression"
    LINEAR_REGRESSION = "linear_regression"
    RANDOM_FOREST = "random_forest"
    HIST_GRADIENT_BOOSTING = "hist_gradient_boosting"


USUAL: Mapping[Task, Algorithm] = {
    Task.CLASSIFICATION: Algorithm.LOGISTIC_REGRESSION,
    Task.REGRESSION: Algorithm.LINEAR_REGRESSION,
}
"""What learns a task where nothing is declared: the simplest."""
OTHERS: Mapping[Task, Algorithm] = {
    Task.CLASSIFICATION: Algorithm.LINEAR_REGRESSION,
    Task.REGRESSION: Algorithm.LOGISTIC_REGRESSION,
}
"""What does not learn it."""
