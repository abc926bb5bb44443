"""Figures with a bootstrap confidence interval each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlstrata_steps.tasks.metrics import Metric

RESAMPLES = 1000
"""Of a few thousand rows; of more there are fewer, down to `FEWEST`: their interval is narrow, and each one costs."""
FEWEST, ROWS = 200, 4_000_000
LEVEL = 0.95


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


def estimates(
    metrics: Mapping[str, Metric],
    labels: NDArray[np.generic],
    said: NDArray[np.float64],
    strata: NDArray[np.int64],
    *,
    seed: int = 0,
    resamples: int = 0,
) -> dict[str, Estimate]:
    """Measure every metric with its 95 % percentile bootstrap interval (Efron 1979).

    An interval always holds its estimate: where the percentiles of a skewed metric miss it, they are widened to it.

    Args:
        metrics: By name.
        labels: Shape (rows,), what happened, as the metrics take it.
        said: Shape (rows,) or (rows, classes), what the model says, as the metrics take it.
        strata: Shape (rows,); a resample keeps the number of rows of each, so that every resample has every class.
        seed: Of the resampling.
        resamples: How many times; 0: `resamples_of` the rows.
    """

    def of(metric: Metric, rows: NDArray[np.int64]) -> float:
        return metric.at(labels, said, rows)

    return bootstrapped(metrics, strata, of, seed=seed, resamples=resamples)


def differences(
    metrics: Mapping[str, Metric],
    labels: NDArray[np.generic],
    ours: NDArray[np.float64],
    others: Mapping[str, NDArray[np.float64]],
    strata: NDArray[np.int64],
    *,
    seed: int = 0,
    resamples: int = 0,
) -> dict[str, Estimate]:
    """Measure each metric's difference, ours minus the other's on the same rows, with its paired bootstrap interval.

    What is hard about a row is hard for both, so their difference is known better than either metric.

    Args:
        metrics: By name.
        labels: Shape (rows,), what happened.
        ours: Shape (rows,) or (rows, classes).
        others: What the other says of the same rows, by metric: a constant answer is another one for each.
        strata: As for `estimates`.
        seed: Of the resampling.
        resamples: How many times; 0: `resamples_of` the rows.
    """

    def difference(metric: Metric, rows: NDArray[np.int64]) -> float:
        return metric.at(labels, ours, rows) - metric.at(labels, others[metric.name], rows)

    return bootstrapped(metrics, strata, difference, seed=seed, resamples=resamples)


def resamples_of(rows: int) -> int:
    """Say how often rows are resampled."""
    return max(FEWEST, min(RESAMPLES, ROWS // max(1, rows)))


def bootstrapped(
    metrics: Mapping[str, Metric],
    strata: NDArray[np.int64],
    measure: Callable[[Metric, NDArray[np.int64]], float],
    *,
    seed: int,
    resamples: int,
) -> dict[str, Estimate]:
    """Measure every metric on all rows, and on resamples of them for the interval; as `estimates` says.

    Args:
        metrics: By name.
        strata: Shape (rows,), as for `estimates`.
        measure: Applies a metric to the rows at some positions.
        seed: Of the resampling.
        resamples: How many times; 0: `resamples_of` the rows.
    """
    import numpy as np

    random, times = np.random.default_rng(seed), resamples or resamples_of(len(strata))
    groups = [np.flatnonzero(strata == value) for value in np.unique(strata)]
    drawn: dict[str, list[float]] = {name: [] for name in metrics}
    for _ in range(times):
        rows = np.concatenate([random.choice(group, len(group)) for group in groups])
        for name, metric in metrics.items():
            drawn[name].append(measure(metric, rows))
    tail, everything = (1 - LEVEL) / 2, np.arange(len(strata))
    found: dict[str, Estimate] = {}
    for name, metric in metrics.items():
        value = measure(metric, everything)
        low, high = (float(end) for end in np.quantile(drawn[name], (tail, 1 - tail)))
        found[name] = Estimate(value, min(low, value), max(high, value))
    return found
