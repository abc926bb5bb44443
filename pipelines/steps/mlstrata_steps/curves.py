"""Curves that show people how good probabilities are: ROC and calibration, of few enough points to keep and draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

POINTS = 60
"""Of a ROC curve, at the most: as many as a plot on a page can show."""
BINS = 10
LEAST = 20
"""Rows of a calibration bin, at the least: the share among fewer says little."""


def roc(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> list[list[float]]:
    """Follow the rates while the cut falls (Fawcett 2006).

    Args:
        labels: Shape (rows,), 0 or 1, both present.
        probabilities: Shape (rows,), of the positive class.

    Returns:
        False and true positive rate at each cut, from [0, 0] to [1, 1]; `POINTS` of them at the most.
    """
    import numpy as np

    order = np.argsort(-probabilities, kind="stable")
    ranked, said = labels[order], probabilities[order]
    # Rows of equal probability are labelled alike: a cut is only possible after the last of them.
    cuts = np.append(np.flatnonzero(np.diff(said)), len(said) - 1)
    hits, false = np.cumsum(ranked)[cuts], np.cumsum(1 - ranked)[cuts]
    rates = np.column_stack([false / false[-1], hits / hits[-1]])
    if len(rates) > POINTS - 1:
        rates = rates[np.unique(np.linspace(0, len(rates) - 1, POINTS - 1).round().astype(int))]
    return [[0.0, 0.0], *([round(float(x), 6), round(float(y), 6)] for x, y in rates)]


def calibration(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> list[list[float]]:
    """Compare what is said with what happened, in groups of as many rows each (DeGroot and Fienberg 1983).

    Args:
        labels: Shape (rows,), 0 or 1.
        probabilities: Shape (rows,), of the positive class.

    Returns:
        Mean probability, share of positives and rows of each group, in rising order; `BINS` groups, fewer where they
        would have less than `LEAST` rows.
    """
    import numpy as np

    order = np.argsort(probabilities, kind="stable")
    groups = np.array_split(order, max(1, min(BINS, len(order) // LEAST)))
    return [
        [round(float(probabilities[rows].mean()), 6), round(float(labels[rows].mean()), 6), float(len(rows))]
        for rows in groups
    ]
