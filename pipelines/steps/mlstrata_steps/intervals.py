"""Metrics of a probability against what happened, each with a bootstrap confidence interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Metric = Callable[[NDArray[np.int64], NDArray[np.float64]], float]

RESAMPLES = 1000
LEVEL = 0.95
CUT = 0.5
"""The probability from which a label is positive."""


@dataclass(frozen=True)
class Estimate:
    """A metric on the test rows and its interval.

    Attributes:
        value: The metric on all test rows.
        low: Lower end of the 95 % interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def auc(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Area under the ROC curve, by ranks (Mann and Whitney 1947); ties count half."""
    from scipy.stats import rankdata

    positive = int(labels.sum())
    negative = len(labels) - positive
    ranks = rankdata(probabilities)
    return float((ranks[labels == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))


def accuracy(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Share of rows whose label, cut at `CUT`, is right."""
    return float(((probabilities >= CUT) == labels).mean())


def log_loss(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Mean negative log likelihood, in nats; probabilities are kept 1e-15 away from 0 and 1."""
    import numpy as np

    safe = np.clip(probabilities, 1e-15, 1 - 1e-15)
    return float(-np.where(labels == 1, np.log(safe), np.log1p(-safe)).mean())


def brier(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Mean squared distance between probability and outcome (Brier 1950)."""
    return float(((probabilities - labels) ** 2).mean())


METRICS: Mapping[str, Metric] = {
    "auc": auc,
    "accuracy": accuracy,
    "log_loss": log_loss,
    "brier": brier,
}
HIGHER_IS_BETTER = frozenset({"auc", "accuracy"})
"""Those of them of which more is better; of the others less is."""


def estimates(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Estimate]:
    """Measure every metric with its 95 % percentile bootstrap interval (Efron 1979).

    Resampling keeps the number of each class, so that every resample has an AUC. An interval always holds its
    estimate: where the percentiles of a skewed metric miss it, they are widened to it.

    Args:
        labels: Shape (rows,), 0 or 1, both present.
        probabilities: Shape (rows,), of the positive class.
        seed: Of the resampling.
        resamples: How many times.
    """

    def of(metric: Metric, rows: NDArray[np.int64]) -> float:
        return metric(labels[rows], probabilities[rows])

    return bootstrapped(labels, of, seed=seed, resamples=resamples)


def bootstrapped(
    labels: NDArray[np.int64],
    measure: Callable[[Metric, NDArray[np.int64]], float],
    *,
    seed: int,
    resamples: int,
) -> dict[str, Estimate]:
    """Measure every metric on all rows, and on resamples of them for the interval; as `estimates` says.

    Args:
        labels: Shape (rows,), 0 or 1, both present.
        measure: Applies a metric to the rows at some positions.
        seed: Of the resampling.
        resamples: How many times.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    groups = [np.flatnonzero(labels == value) for value in (0, 1)]
    drawn: dict[str, list[float]] = {name: [] for name in METRICS}
    for _ in range(resamples):
        rows = np.concatenate([random.choice(group, len(group)) for group in groups])
        for name, metric in METRICS.items():
            drawn[name].append(measure(metric, rows))
    tail, everything = (1 - LEVEL) / 2, np.arange(len(labels))
    found: dict[str, Estimate] = {}
    for name, metric in METRICS.items():
        value = measure(metric, everything)
        low, high = (float(end) for end in np.quantile(drawn[name], (tail, 1 - tail)))
        found[name] = Estimate(value, min(low, value), max(high, value))
    return found
