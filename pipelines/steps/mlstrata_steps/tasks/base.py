"""What a kind of answer owns: gates, packaging, serving, scoring and evidence ask it, and know no task of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mlstrata_steps.outcome import Check
from mlstrata_steps.tasks.metrics import Metric
from mlstrata_steps.tasks.output import Output

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Labels = NDArray[Any]
    Said = NDArray[np.float64]

    from mlstrata_steps.quality import QualityRules

CLASSIFIER, REGRESSOR = "classifier", "regressor"


@dataclass(frozen=True)
class Gap:
    """The largest difference between two groups of a column.

    Attributes:
        value: On all test rows.
        low: Lower end of the 95 % bootstrap interval.
        high: Upper end.
        of: What it is a difference of, where a task has several: the class.
    """

    value: float
    low: float
    high: float
    of: str = ""


class Task(ABC):
    """A kind of answer.

    `labels` are what happened, shape (rows,), as the task reads a column; `said` is what a model says of them, shape
    (rows,) or (rows, classes).
    """

    name: ClassVar[str]
    learns: ClassVar[str]
    """`CLASSIFIER` or `REGRESSOR`: what kind of estimator answers it."""
    headline: ClassVar[str]
    """The metric by which models are searched, compared and told from luck."""
    loss: ClassVar[str]
    """The metric by which saying the same of everyone must be worse."""
    chance: ClassVar[float]
    """The headline of a model that knows nothing."""
    answer: ClassVar[str]
    """What one answer is called, in words."""
    grouped: ClassVar[str] = ""
    """What stands before how the groups fare."""
    fairness: ClassVar[tuple[str, ...]]
    """Differences between groups that can be limited, the usual one first."""

    @property
    @abstractmethod
    def metrics(self) -> Mapping[str, Metric]:
        """Return what is measured, by name."""

    @abstractmethod
    def target(self, column: pd.Series[object], limits: QualityRules) -> list[Check]:
        """Check that a column can be learnt as this task's answer."""

    @abstractmethod
    def labels(self, column: pd.Series[object]) -> Labels:
        """Read what happened from a column of a canonical table."""

    @abstractmethod
    def strata(self, labels: Labels) -> NDArray[np.int64]:
        """Number the strata whose shares a split, folds and weights keep: shape (rows,)."""

    @abstractmethod
    def resampled(self, labels: Labels) -> NDArray[np.int64]:
        """Number the strata whose size a bootstrap keeps: shape (rows,)."""

    @abstractmethod
    def ask(self, model: Any, features: pd.DataFrame) -> Said:
        """Ask a fitted estimator."""

    @abstractmethod
    def given(self, output: Output, answer: Any) -> Said:
        """Read what a packaged model's `predict` gave, by its own contract.

        Raises:
            ValueError: It answers another question.
        """

    @abstractmethod
    def predicted(self, prediction: Mapping[str, Any]) -> list[float]:
        """Read one prediction as it is served; numbers that are not there are nan."""

    @abstractmethod
    def answers(self, labels: Labels) -> dict[str, Any]:
        """Sum up what training saw: plain JSON values, which `constant`, `plausible` and `output` take."""

    @abstractmethod
    def constant(self, answers: Mapping[str, Any], rows: int, metric: str) -> Said:
        """Say the same of every row, as well as can be for a metric: the baseline."""

    @abstractmethod
    def in_words(self, answers: Mapping[str, Any]) -> str:
        """Say what the baseline says."""

    @abstractmethod
    def output(self, answers: Mapping[str, Any]) -> Output:
        """Give the contract of a model that was trained on these answers."""

    @abstractmethod
    def shown(self, labels: Labels, said: Said) -> dict[str, Any]:
        """Give what a report shows beside metrics, as plain JSON values: curves, ranges."""

    def interval(self, labels: Labels, said: Said, first: NDArray[np.bool_]) -> tuple[dict[str, float], list[Check]]:  # noqa: ARG002 - of the contract
        """Find an interval around answers on the rows `first`, and measure it on the others; most tasks have none."""
        return {}, []

    @abstractmethod
    def groups(self, codes: NDArray[np.object_], labels: Labels, said: Said) -> dict[str, dict[str, Any]]:
        """Say how each group fares: group to `rows` and figures."""

    @abstractmethod
    def gap(
        self, codes: NDArray[np.object_], labels: Labels, said: Said, metric: str, *, seed: int = 0, resamples: int = 0
    ) -> Gap | None:
        """Measure the largest difference between groups; None where too few groups have enough rows."""

    @abstractmethod
    def group_in_words(self, figures: Mapping[str, Any], metric: str) -> str:
        """Say how a group of `groups` fares."""

    @abstractmethod
    def unmeasurable(self, said: Said) -> str:
        """Say why no difference between groups can be measured; empty: it can."""

    @abstractmethod
    def plausible(self, said: Said, answers: Mapping[str, Any]) -> list[Check]:
        """Check that answers are possible ones, and not the same for everyone."""

    @abstractmethod
    def scale(self, answers: Mapping[str, Any]) -> float:
        """Return what a change of an answer is measured in: 1, or the spread of what training saw."""

    @abstractmethod
    def encoded(self, labels: Labels) -> NDArray[np.float64]:
        """Write labels as numbers whose mean over some rows says what is known of those: shape (rows, outputs)."""

    @abstractmethod
    def association(self, labels: Labels, values: NDArray[np.float64]) -> float:
        """Say how well the order of some numbers tells the labels, on the headline's scale: shape (rows,) each."""

    @abstractmethod
    def copies(self, column: pd.Series[object], labels: Labels) -> bool:
        """Say whether a column is the target under other names."""

    @abstractmethod
    def tree(self, seed: int) -> Any:
        """Make a small tree that `ask` can ask, unfitted."""

    def score(self, labels: Labels, said: Said) -> float:
        """Measure the headline."""
        return self.metrics[self.headline](labels, said)
