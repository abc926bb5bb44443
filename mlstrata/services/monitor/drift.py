"""Has a column moved away from what the model was trained on? From counts alone, whatever the window's size.

A column has drifted where both hold: chance does not explain the difference (chi-square over the bins, of numbers also
Kolmogorov-Smirnov; Bonferroni over all tests of a system and over all looks at a window), and the difference is large
enough to matter (population stability index). Either alone misleads: PSI of few rows is noise, and of many rows any
difference is certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlstrata.services.monitor.layout import Column, Counted

ALPHA = 0.001
"""Probability of one false alert about a system in a window in which nothing drifts, over all columns and looks."""
FEW_VALUES = 0.5
"""Share of the declared PSI from which a column of named values has drifted. The index grows with what can move: of a
yes/no column 12 % instead of 25 % is 0.14 and the share of a whole group doubling, of a number 0.2 is a quarter to a
half standard deviation (docs/decisions/0039)."""
HALF = 0.5
"""Added to every bin, so that an empty one does not make the index infinite."""
_LEAST_EXPECTED = 1.0


@dataclass(frozen=True)
class Moved:
    """How far a column is from what training saw.

    Attributes:
        column: Its name.
        kind: number, category, boolean or date.
        rows: Rows of the window.
        psi: Population stability index.
        limit: From which on it counts.
        p: The smallest p-value of its tests, not corrected.
        certain: Below which p counts, over all tests and looks.
        ks: Kolmogorov-Smirnov's statistic of a number, 0 to 1; None of others.
        distance: Wasserstein's distance of a number, in standard deviations of what training saw; None of others.
        drifted: Whether it has drifted.
    """

    column: str
    kind: str
    rows: int
    psi: float
    limit: float
    p: float
    certain: float
    ks: float | None
    distance: float | None

    @property
    def drifted(self) -> bool:
        """Whether it has: certainly, and by enough."""
        return self.p < self.certain and self.psi >= self.limit


def compare(
    columns: Sequence[Column],
    window: Sequence[Counted],
    *,
    psi_limit: float,
    looks: int = 1,
) -> list[Moved]:
    """Compare the columns of a window with what training saw.

    Args:
        columns: The columns.
        window: For each what was counted in the window.
        psi_limit: The declared PSI of a number; of named values `FEW_VALUES` of it.
        looks: How often a window is looked at before it is a wholly other one.
    """
    tests = sum(2 if one.profile.numeric else 1 for one in columns)
    certain = ALPHA / max(1, tests * looks)
    return [
        moved(one, counted, psi_limit=psi_limit, certain=certain) for one, counted in zip(columns, window, strict=True)
    ]


def moved(column: Column, window: Counted, *, psi_limit: float, certain: float) -> Moved:
    """Compare one column; as `compare`, with the p-value that counts as certain."""
    profile, counts = column.profile, window.counts
    coarse = column.coarse(counts)
    p, ks, distance = chi_square(column.reference, coarse), None, None
    if profile.numeric and len(profile.sample) and counts[:-2].sum():
        ks, distance = apart(column, counts[:-2], (window.low, window.high))
        p = min(p, ks_p(ks, sum(profile.counts[:-2]), int(counts[:-2].sum())))
    return Moved(
        column=profile.name,
        kind=profile.kind,
        rows=int(counts.sum()),
        psi=psi(column.reference, coarse),
        limit=psi_limit if profile.numeric else psi_limit * FEW_VALUES,
        p=p,
        certain=certain,
        ks=ks,
        distance=distance,
    )


def psi(reference: NDArray[np.int64], window: NDArray[np.int64]) -> float:
    """Population stability index (Siddiqi 2006): the symmetric Kullback-Leibler divergence of two binned columns.

    Args:
        reference: Shape (bins,), counts.
        window: Shape (bins,), counts.
    """
    import numpy as np

    if not reference.sum() or not window.sum():
        return 0.0
    used = (reference + window) > 0
    ours = (window[used] + HALF) / (window.sum() + HALF * used.sum())
    theirs = (reference[used] + HALF) / (reference.sum() + HALF * used.sum())
    return float(((ours - theirs) * np.log(ours / theirs)).sum())


def chi_square(reference: NDArray[np.int64], window: NDArray[np.int64]) -> float:
    """Give Pearson's p-value of two samples being of one distribution; bins of too few rows are taken together.

    Args:
        reference: Shape (bins,), counts.
        window: Shape (bins,), counts.
    """
    import numpy as np
    from scipy.special import chdtrc

    m, n = int(reference.sum()), int(window.sum())
    if not m or not n:
        return 1.0
    both = reference + window
    small = both * (min(m, n) / (m + n)) < _LEAST_EXPECTED
    table = np.stack([reference, window])
    if small.any():
        table = np.column_stack([table[:, ~small], table[:, small].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] <= 1:
        return 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / (m + n)
    statistic = float(((table - expected) ** 2 / expected).sum())
    return float(chdtrc(table.shape[1] - 1, statistic))


def ks_p(statistic: float, m: int, n: int) -> float:
    """Give the p-value of Kolmogorov-Smirnov's statistic of samples of m and n values, for many of both (Smirnov 1939).

    Of values that repeat it is too large, so such columns are judged by chi-square.
    """
    from scipy.special import kolmogorov

    return float(kolmogorov(statistic * (m * n / (m + n)) ** 0.5)) if m and n else 1.0


def apart(column: Column, counts: NDArray[np.int64], ends: tuple[float, float]) -> tuple[float, float | None]:
    """Give Kolmogorov-Smirnov's statistic and Wasserstein's distance, from the counts of the finer bins.

    Args:
        column: A number.
        counts: Shape (edges + 1,), of the window, without those of no number.
        ends: Its lowest and highest value.

    Returns:
        The statistic, at most 0.01 too small; and the distance in standard deviations of what training saw, None where
        that was one value only.
    """
    import numpy as np

    grid, sample = column.grid, column.profile.sample
    if not len(grid):
        return 0.0, None
    gap = np.abs(np.cumsum(counts)[:-1] / counts.sum() - column.cumulative)
    lowest, highest = min(sample[0], ends[0]), max(sample[-1], ends[1])
    places = np.concatenate([[min(lowest, grid[0])], grid, [max(highest, grid[-1])]])
    heights = np.concatenate([[0.0], gap, [0.0]])
    area = float((np.diff(places) * (heights[1:] + heights[:-1]) / 2).sum())
    return float(gap.max()), area / column.spread if column.spread else None
