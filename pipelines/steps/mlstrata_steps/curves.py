"""Curves that show people how good probabilities are: ROC and calibration, of few enough points to keep and draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    """Compare probabilities with the shares of what happened (`told_and_happened`), rounded to be kept and drawn.

    Args:
        labels: Shape (rows,), 0 or 1.
        probabilities: Shape (rows,), of the positive class.

    Returns:
        Mean probability, share of positives and rows of each group, in rising order; `BINS` groups, fewer where they
        would have less than `LEAST` rows.
    """
    found = told_and_happened(probabilities, labels[:, None], BINS)
    return [[round(said, 6), round(share, 6), rows] for said, share, rows in found]


def told_and_happened(told: NDArray[np.float64], happened: NDArray[Any], bins: int) -> tuple[tuple[float, ...], ...]:
    """Compare what is said with what happened, in groups of as many rows each (DeGroot and Fienberg 1983).

    Args:
        told: Shape (rows,), by which the rows are put in order.
        happened: Shape (rows, figures).
        bins: How many groups; fewer where they would have less than `LEAST` rows.

    Returns:
        Of each group, in rising order: the mean of what is said, those of what happened, and its rows; not rounded.
    """
    import numpy as np

    order = np.argsort(told, kind="stable")
    groups = np.array_split(order, max(1, min(bins, len(order) // LEAST)))
    return tuple(
        (float(told[rows].mean()), *(float(one) for one in happened[rows].mean(axis=0)), float(len(rows)))
        for rows in groups
    )
