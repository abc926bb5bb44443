"""Intervals that hold at every moment at once, so that watching a comparison after each request costs nothing.

A usual confidence interval holds at one moment chosen before; looked at a hundred times, it "finds" a winner in a third
of all comparisons without one. These are asymptotic confidence sequences (Waudby-Smith, Arbour, Sinha, Kennedy and
Ramdas, arXiv 2103.06476), from Robbins' normal mixture (1970) made uniform over time (Howard, Ramdas, McAuliffe and
Sekhon, Annals of Statistics 2021).
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Figure = float | NDArray[np.float64]
"""One value, or one of each of many comparisons."""
Truth = bool | NDArray[np.bool_]
"""Whether something holds of it."""

ALPHA = 0.05
"""Share of comparisons without a difference in which one is ever claimed, on either side."""
FEWEST = 30
"""Requests of each version below which nothing is claimed: the sequences are asymptotic."""


class Interval(NamedTuple):
    """Where a difference lies, at every moment, but for `alpha` of all comparisons.

    Attributes:
        estimate: The difference that was seen.
        low: Its lowest value that the data do not exclude.
        high: Its highest.
    """

    estimate: Figure
    low: Figure
    high: Figure

    @property
    def negative(self) -> Interval:
        """Return where the difference lies, seen from the other side."""
        return Interval(-self.estimate, -self.high, -self.low)


def half_width(variance: Figure, count: Figure, *, alpha: float = ALPHA, tightest: float = 500.0) -> Figure:
    """Return the half width of a two-sided sequence for a mean.

    Args:
        variance: Of one observation.
        count: Observations so far.
        alpha: Share of comparisons in which it may ever miss.
        tightest: The count near which it is to be narrowest.
    """
    rho = (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / tightest
    spread = count * rho + 1
    found: Figure = np.sqrt(variance * 2 * spread / (count * count * rho) * np.log(np.sqrt(spread) / alpha))
    return found


def share_variance(hits: Figure, count: Figure) -> Figure:
    """Return the variance of a yes or no, as if one more of each had been seen: none seen yet is not none at all."""
    share = (hits + 1) / (count + 2)
    return share * (1 - share)


def difference(
    ours: tuple[Figure, Figure, Figure],
    theirs: tuple[Figure, Figure, Figure],
    *,
    alpha: float = ALPHA,
    tightest: float = 500.0,
) -> Interval:
    """Compare two versions between which requests were drawn by lot.

    The difference of the means is the mean over all requests of the augmented inverse-probability estimate, whose
    variance is the sum of each version's divided by its share.

    Args:
        ours: Count, mean and variance of the candidate.
        theirs: The same of the champion.
        alpha: Share of comparisons in which it may ever miss.
        tightest: The count of both together near which it is to be narrowest.
    """
    (n, mean, variance), (other, base, spread) = ours, theirs
    total = n + other
    half = half_width(total * (variance / n + spread / other), total, alpha=alpha, tightest=tightest)
    estimate = mean - base
    return Interval(estimate, estimate - half, estimate + half)


def share_of(hits: Figure, count: Figure, *, alpha: float = ALPHA, tightest: float = 500.0) -> Interval:
    """Return where one version's own share of something lies."""
    half = half_width(share_variance(hits, count), count, alpha=alpha, tightest=tightest)
    share = hits / count
    return Interval(share, share - half, share + half)
