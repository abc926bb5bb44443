"""An interval around a number, found on rows that its model has not seen (split conformal: Papadopoulos et al. 2002).

The test rows are halved by their content. What the model was off by on one half says how far around an answer the
interval reaches, below and above apart, so that whoever is wrong in one direction has no interval in both; the other
half says how often the true number lies in it. It holds on average over cases as those, of whatever model; it is of one
width for all of them, and promises nothing of a single group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata_steps.outcome import Check

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEASURED = ("covered", "covered_low", "covered_high", "width")
"""What is measured of an interval, beside what it is."""
RARE = 0.001
"""Probability below which so few rows in the interval are no bad luck: then the halves differ, and it holds nothing."""
_Z = 1.959964
"""Of a 95 % interval of the measured share."""


@dataclass(frozen=True)
class Interval:
    """How far around an answer the true number lies.

    Attributes:
        below: What is added to an answer for the lower end, in the target's unit.
        above: What is added for the upper end.
        share: Share of cases, 0 to 1, that is promised to lie in it.
    """

    below: float
    above: float
    share: float

    def document(self) -> dict[str, float]:
        """Give it as plain JSON values."""
        return {"below": self.below, "above": self.above, "share": self.share}

    @classmethod
    def parsed(cls, document: Any) -> Interval:
        """Read it from plain JSON values.

        Raises:
            ValueError: It is none.
        """
        below, above, share = (float(document[name]) for name in ("below", "above", "share"))
        if not (math.isfinite(below) and math.isfinite(above) and below <= above and 0 < share < 1):
            raise ValueError("interval")
        return cls(below, above, share)


def needed(share: float) -> int:
    """Return the fewest rows whose errors have an end on either side that keeps a promise."""
    return math.ceil(2 / (1 - share) - 1e-9) - 1


def calibrated(
    labels: NDArray[np.float64], said: NDArray[np.float64], first: NDArray[np.bool_], share: float
) -> tuple[dict[str, float], list[Check]]:
    """Find an interval on some rows and measure it on the others.

    Args:
        labels: Shape (rows,), what happened.
        said: Shape (rows,), what the model says.
        first: Shape (rows,), the rows that it is found on.
        share: What is promised.

    Returns:
        The interval's document with `covered`, `covered_low` and `covered_high` (95 %, Wilson 1927) and `width`, and
        what must hold. Nothing is found on too few rows, which is refused.
    """
    import numpy as np
    from scipy.stats import betabinom

    errors, others = np.sort((labels - said)[first]), ~first
    if min(len(errors), int(others.sum())) < (few := needed(share)):
        detail = (
            f"{len(errors)} rows to find it and {int(others.sum())} to measure it; {few} of each needed for {share:g}"
        )
        return {}, [Check("interval", False, detail)]
    # Of n errors the k-th smallest is above a new one with a probability of at least k / (n + 1).
    rank = math.ceil((len(errors) + 1) * (1 + share) / 2 - 1e-9)
    interval = Interval(float(errors[len(errors) - rank]), float(errors[rank - 1]), share)
    off = (labels - said)[others]
    held = (off >= interval.below) & (off <= interval.above)
    rows, inside = len(off), float(held.mean())
    middle = (inside + _Z**2 / (2 * rows)) / (1 + _Z**2 / rows)
    half = _Z / (1 + _Z**2 / rows) * math.sqrt(inside * (1 - inside) / rows + _Z**2 / (4 * rows**2))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    width = interval.above - interval.below
    # How many lie in it where the rows are alike, the luck of both halves counted.
    likely = float(betabinom.cdf(held.sum(), rows, 2 * rank - len(errors) - 1, 2 * (len(errors) - rank + 1)))
    detail = f"{inside:.1%} of {rows} rows lie in it ({low:.1%} to {high:.1%}), {share:.1%} promised; {width:.4g} wide"
    measured = dict(zip(MEASURED, (inside, low, high, width), strict=True))
    return {**interval.document(), **measured}, [Check("interval", likely >= RARE, detail)]
