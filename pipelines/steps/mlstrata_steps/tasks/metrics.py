"""Metrics of what a model says against what happened: which there are for a task, and which way each is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLASSIFICATION = (
    "auc", "pr_auc", "accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "log_loss", "brier",
)  # fmt: skip
"""What is measured of a classifier: of two classes of the positive one, of more the mean over the classes."""
REGRESSION = ("r2", "mae", "rmse", "median_absolute_error", "pinball", "mape")
"""What is measured of a regression; `mape` only where no true value is 0, `pinball` at the declared quantile."""
METRICS = (*CLASSIFICATION, *REGRESSION)
SHOWN = ("auc", "accuracy", "r2", "mae")
"""Those that one line about a model says, as far as its task has them."""
_LESS_IS_BETTER = frozenset({"log_loss", "brier", "mae", "rmse", "median_absolute_error", "pinball", "mape"})


@dataclass(frozen=True)
class Metric:
    """A figure.

    Attributes:
        name: One of `CLASSIFICATION` or `REGRESSION`.
        measure: Takes what happened and what the model says, and gives the figure.
    """

    name: str
    measure: Callable[[Any, Any], float]

    def __call__(self, labels: Any, said: Any) -> float:
        """Measure."""
        return self.measure(labels, said)

    def at(self, labels: Any, said: Any, rows: Any) -> float:
        """Measure some rows, by their positions: shape (chosen,); one may come more than once."""
        return self.measure(labels[rows], said[rows])

    @property
    def higher_is_better(self) -> bool:
        """Return which way is better."""
        return self.name not in _LESS_IS_BETTER

    def clearly_better(self, low: float, high: float) -> bool:
        """Say whether a whole interval of a difference (ours minus the other's) speaks for ours."""
        return low > 0 if self.higher_is_better else high < 0

    def clearly_worse(self, low: float, high: float) -> bool:
        """Say whether a whole interval of a difference (ours minus the other's) speaks against ours."""
        return high < 0 if self.higher_is_better else low > 0


def named(functions: Mapping[str, Callable[[Any, Any], float]]) -> dict[str, Metric]:
    """Make metrics of functions by their names."""
    return {name: Metric(name, function) for name, function in functions.items()}


def auc(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Area under the ROC curve, by ranks (Mann and Whitney 1947); ties count half."""
    from scipy.stats import rankdata

    positive = int(labels.sum())
    negative = len(labels) - positive
    ranks = rankdata(probabilities)
    return float((ranks[labels == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))


def pr_auc(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Average precision: precision at each cut, weighed by the recall that it adds; equal probabilities are one cut."""
    import numpy as np

    order = np.argsort(-probabilities, kind="stable")
    ranked, said = labels[order], probabilities[order]
    cuts = np.append(np.flatnonzero(np.diff(said)), len(said) - 1)
    hits = np.cumsum(ranked)[cuts]
    return float((np.diff(hits, prepend=0) * hits / (cuts + 1)).sum() / hits[-1])


def log_loss(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Mean negative log likelihood, in nats; probabilities are kept 1e-15 away from 0 and 1."""
    import numpy as np

    safe = np.clip(probabilities, 1e-15, 1 - 1e-15)
    return float(-np.where(labels == 1, np.log(safe), np.log1p(-safe)).mean())


def brier(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Mean squared distance between probability and outcome (Brier 1950)."""
    return float(((probabilities - labels) ** 2).mean())


@dataclass(frozen=True)
class Counts:
    """How often a class was said, and rightly: what every metric of labels is made of.

    Attributes:
        hits: Rows of the class that were said to be.
        said: Rows that were said to be of it.
        real: Rows of the class.
        rows: All rows.
    """

    hits: int
    said: int
    real: int
    rows: int

    @classmethod
    def of(cls, real: NDArray[np.bool_], said: NDArray[np.bool_]) -> Counts:
        """Count; both of shape (rows,)."""
        return cls(int((real & said).sum()), int(said.sum()), int(real.sum()), len(real))

    @property
    def precision(self) -> float:
        """Share of those said that are; 0 where nobody is said to be."""
        return self.hits / self.said if self.said else 0.0

    @property
    def recall(self) -> float:
        """Share of those that are that were said."""
        return self.hits / self.real if self.real else 0.0

    @property
    def specificity(self) -> float:
        """Share of the others that were not said."""
        others = self.rows - self.real
        return (others - self.said + self.hits) / others if others else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall (van Rijsbergen 1979)."""
        return 2 * self.hits / (self.said + self.real) if self.said + self.real else 0.0
