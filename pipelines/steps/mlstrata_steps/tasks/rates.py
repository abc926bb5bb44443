"""How often a label is given, by group: what fairness compares where labels are what people get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlstrata_steps.intervals import LEVEL, RESAMPLES
from mlstrata_steps.parity import SMALL
from mlstrata_steps.tasks.base import Gap

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

METRICS = ("demographic_parity", "equal_opportunity", "equalized_odds")
"""Which difference between groups counts: of positive labels among all rows (Dwork et al. 2012), among the rows that
really are positive (Hardt et al. 2016), or the larger of that and the one among the rows that are not."""


def groups(
    codes: NDArray[np.object_], labels: NDArray[np.int64], chosen: NDArray[np.bool_]
) -> dict[str, dict[str, Any]]:
    """Count the rates of each group.

    Args:
        codes: Shape (rows,), a row's group (`parity.groups_of`).
        labels: Shape (rows,), what happened, 0 or 1.
        chosen: Shape (rows,), whether the model says positive.

    Returns:
        Group to rows, positive_rate, base_rate (how many really are), true_positive_rate and false_positive_rate; None
        where nothing can be counted.
    """

    def share(rows: NDArray[np.bool_]) -> float | None:
        return float(chosen[rows].mean()) if rows.any() else None

    return {
        str(name): {
            "rows": int((codes == name).sum()),
            "positive_rate": share(codes == name),
            "base_rate": float(labels[codes == name].mean()),
            "true_positive_rate": share((codes == name) & (labels == 1)),
            "false_positive_rate": share((codes == name) & (labels == 0)),
        }
        for name in sorted(set(codes))
    }


def gap(
    codes: NDArray[np.object_],
    labels: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    metric: str,
    *,
    seed: int = 0,
    resamples: int = 0,
) -> Gap | None:
    """Measure the largest difference between groups, with its 95 % percentile bootstrap interval (Efron 1979).

    Args:
        codes: Shape (rows,), a row's group.
        labels: Shape (rows,), what happened, 0 or 1.
        chosen: Shape (rows,), whether the model says positive.
        metric: One of `METRICS`.
        seed: Of the resampling, which keeps the size of each group.
        resamples: How many times; 0: `intervals.RESAMPLES`.

    Returns:
        The gap; None where fewer than two groups have `parity.SMALL` rows that the metric looks at.
    """
    import numpy as np

    random, tail, times = np.random.default_rng(seed), (1 - LEVEL) / 2, resamples or RESAMPLES
    found: list[Gap] = []
    for looked in _looked_at(labels, metric):
        shares, drawn = [], []
        for name in sorted(set(codes)):
            mine = chosen[(codes == name) & looked]
            if len(mine) < SMALL:
                continue
            shares.append(float(mine.mean()))
            # Rows drawn with replacement: the number of positives among them is binomial.
            drawn.append(random.binomial(len(mine), mine.mean(), size=times) / len(mine))
        if len(shares) > 1:
            value, spread = max(shares) - min(shares), np.ptp(np.array(drawn), axis=0)
            low, high = (float(end) for end in np.quantile(spread, (tail, 1 - tail)))
            found.append(Gap(value, min(low, value), max(high, value)))
    return max(found, key=lambda gap: gap.value, default=None)


def in_words(figures: Mapping[str, Any], metric: str) -> str:
    """Say how many of a group are positive, and of whom, as a metric counts."""
    shown = f"{_rate(figures['positive_rate'])} of {figures['rows']}"
    if metric == "demographic_parity":
        return shown
    shown += f" (of the truly positive {_rate(figures['true_positive_rate'])}"
    return shown + (
        ")" if metric == "equal_opportunity" else f", of the others {_rate(figures['false_positive_rate'])})"
    )


def _looked_at(labels: NDArray[np.int64], metric: str) -> list[NDArray[np.bool_]]:
    if metric == "demographic_parity":
        return [labels >= 0]
    return [labels == 1] if metric == "equal_opportunity" else [labels == 1, labels == 0]


def _rate(value: float | int | None) -> str:
    return "none" if value is None else f"{value:.1%}"
