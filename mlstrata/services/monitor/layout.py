"""Where the counts of all columns lie in one vector, so that windows are sums and a column is a slice of one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from mlstrata_steps.profile import NUMBER, SLACK, Profile, number_of, raised, text_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Numbers = NDArray[np.float64]

PERCENTILES = 100
"""Parts into which a number's reference is cut beside its bins: KS is then known to 0.01."""
_PLAIN = frozenset({int, float, bool, type(None)})


class Counted(NamedTuple):
    """Some rows of a column.

    Attributes:
        counts: Rows by bin (`Column.size` of them).
        low: The lowest number; infinity where there is none.
        high: The highest; minus infinity where there is none.
        outside: Numbers outside of what is allowed.
    """

    counts: Counts
    low: float = math.inf
    high: float = -math.inf
    outside: int = 0


@dataclass(frozen=True)
class Column:
    """A column's bins, and finer ones of a number.

    Attributes:
        profile: What training saw.
        allowed: Lowest and highest plausible number, as declared; None: those that training saw.
    """

    profile: Profile
    allowed: tuple[float, float] | None = None

    @cached_property
    def grid(self) -> Numbers:
        """Return a number's finer edges, its own among them: shape (edges,), rising."""
        import numpy as np

        sample = np.asarray(self.profile.sample, dtype="float64")
        fine = np.quantile(sample, np.arange(1, PERCENTILES) / PERCENTILES, method="lower") if len(sample) else sample
        fine = fine + np.abs(fine) * SLACK
        return np.unique(np.concatenate([np.asarray(self.profile.edges, dtype="float64"), fine]))

    @cached_property
    def size(self) -> int:
        """Return how many counts it has; the last two are of no bin and of no value."""
        return (len(self.grid) + 1 if self.profile.numeric else len(self.profile.values)) + 2

    @cached_property
    def _starts(self) -> Counts:
        import numpy as np

        edges = np.searchsorted(self.grid, np.asarray(self.profile.edges, dtype="float64")) + 1
        return np.concatenate([[0], edges]).astype("int64")

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {text: place for place, text in enumerate(self.profile.values)}

    @cached_property
    def reference(self) -> Counts:
        """Return what training counted, in the profile's bins: shape (bins + 2,)."""
        import numpy as np

        return np.asarray(self.profile.counts, dtype="int64")

    @cached_property
    def spread(self) -> float:
        """Return the standard deviation of what training saw; 0 of what is no number."""
        import numpy as np

        return float(np.std(self.profile.sample)) if self.profile.sample else 0.0

    @cached_property
    def cumulative(self) -> Numbers:
        """Return the share of training's values up to each edge of the grid: shape (edges,)."""
        import numpy as np

        sample = np.asarray(self.profile.sample, dtype="float64")
        return np.searchsorted(sample, self.grid, side="right") / max(1, len(sample))

    def coarse(self, counts: Counts) -> Counts:
        """Add finer counts up to the profile's bins: shape (bins + 2,)."""
        import numpy as np

        if not self.profile.numeric:
            return counts
        return np.concatenate([np.add.reduceat(counts[:-2], self._starts), counts[-2:]])

    @property
    def range(self) -> tuple[float, float] | None:
        """Return the lowest and highest plausible number; None of what is no number."""
        ends = (self.allowed or self.profile.range) if self.profile.numeric else None
        return (-raised(-ends[0]), raised(ends[1])) if ends else None

    def count(self, cells: Sequence[Any]) -> Counted:
        """Count values, as the store has them."""
        import numpy as np

        if self.profile.numeric:
            return self._numbers(cells)
        counts = np.zeros(self.size, dtype="int64")
        try:
            seen: Mapping[Any, int] = Counter(cells)
        except TypeError:  # what is no plain value, such as a list
            seen = Counter(str(cell) for cell in cells)
        for cell, rows in seen.items():
            text = text_of(cell)
            # True equals 1 among the keys of a counter; a column holds the one or the other.
            counts[self.size - 1 if text is None else self._places.get(text, self.size - 2)] += rows
        return Counted(counts)

    def _numbers(self, cells: Sequence[Any]) -> Counted:
        import numpy as np

        if self.profile.kind == NUMBER and set(map(type, cells)) <= _PLAIN:
            values = np.array(cells, dtype="float64")
        else:
            read = (number_of(cell, self.profile.kind) for cell in cells)
            values = np.array([np.nan if one is None else one for one in read], dtype="float64")
        known = values[np.isfinite(values)]
        counts = np.bincount(np.searchsorted(self.grid, known, side="left"), minlength=self.size).astype("int64")
        missing = int(np.isnan(values).sum())
        counts[-2:] = len(values) - missing - len(known), missing
        if not len(known):
            return Counted(counts)
        low, high = self.range or (-math.inf, math.inf)
        outside = int(((known < low) | (known > high)).sum())
        return Counted(counts, float(known.min()), float(known.max()), outside)


@dataclass(frozen=True)
class Layout:
    """All columns of a version, inputs before answers.

    Attributes:
        inputs: What the model is given, as far as it is stored as it is.
        answers: What it answers.
    """

    inputs: tuple[Column, ...]
    answers: tuple[Column, ...]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Return inputs and answers."""
        return (*self.inputs, *self.answers)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Return where each column's counts lie."""
        found, at = [], 0
        for one in self.columns:
            found.append(slice(at, at + one.size))
            at += one.size
        return tuple(found)

    @property
    def size(self) -> int:
        """Return the length of the vector."""
        return self.slices[-1].stop if self.slices else 0
