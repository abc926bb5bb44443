"""The rows of one version's window, as counts of some minutes each: they add up, and the oldest go as time goes.

A row is read once. What is kept is some counts a column and block, whatever the traffic.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mlstrata.services.monitor.layout import Counted, Layout
from mlstrata.services.recording.record import MODEL
from mlstrata_steps.reference import answer_cells

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlstrata.services.recording.store import Known, Store

BLOCKS = 240
"""Parts of a window: of a day six minutes each, so that it is never longer by more than half a percent."""
SHORTEST = 1.0
AT_ONCE = 5_000
"""Rows that are held before they are counted."""
SETTLING = 3.0
"""Seconds that a record is given to reach the store; what comes later is found by the next sweep."""
LATENCIES = tuple(round(10 ** (step / 10), 6) for step in range(51))
"""Ends of the classes of milliseconds, from 1 ms to 100 s, 26 % apart."""
SERVER_ERROR = 500


@dataclass
class Served:
    """How rows were answered.

    Attributes:
        rows: All of them.
        failed: Those that a fault of ours left without an answer.
        fallback: Those that something else than the model answered, by what.
        latencies: Rows by class of `LATENCIES`; the last is of what took longer.
    """

    rows: int = 0
    failed: int = 0
    fallback: dict[str, int] = field(default_factory=dict)
    latencies: list[int] = field(default_factory=lambda: [0] * (len(LATENCIES) + 1))

    def add(self, other: Served) -> None:
        """Add another's rows."""
        self.rows += other.rows
        self.failed += other.failed
        for source, rows in other.fallback.items():
            self.fallback[source] = self.fallback.get(source, 0) + rows
        self.latencies = [ours + theirs for ours, theirs in zip(self.latencies, other.latencies, strict=True)]

    def quantile(self, share: float) -> float | None:
        """Return the milliseconds within which a share of the rows was answered, at most 26 % too many; None: no row.

        The slowest class has no end: infinity.
        """
        reached, total = 0, sum(self.latencies)
        for end, rows in zip([*LATENCIES, float("inf")], self.latencies, strict=True):
            reached += rows
            if total and reached >= share * total:
                return end
        return None


@dataclass(frozen=True)
class Block:
    """The counts of some minutes."""

    counts: NDArray[np.int64]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    outside: NDArray[np.int64]
    served: Served


class Window:
    """What was recorded of a version in the newest stretch of time.

    Attributes:
        cursor: Up to when everything was read, in seconds since 1970.
        behind: Whether there is more to read than one step reads.
    """

    def __init__(self, layout: Layout, seconds: float, since: float) -> None:
        """Begin.

        Args:
            layout: Where counts lie.
            seconds: Length of the window.
            since: From when on records are read, in seconds since 1970.
        """
        self.cursor, self.behind = since, True
        self._layout, self._seconds = layout, seconds
        self._length = max(SHORTEST, seconds / BLOCKS)
        self._blocks: dict[int, Block] = {}

    def advance(self, store: Store, system: str, version: str, now: float, *, most: int) -> int:
        """Read what was recorded since, about `most` rows of it, and forget what is too old; return the rows read."""
        until, read, waiting = now - SETTLING, 0, []
        self.behind = False
        last = self.cursor
        for one in store.window(system, since=self.cursor, until=until, version=version):
            at = one.record.at
            if read >= most and at > last:
                self.cursor, self.behind = at, True
                break
            read, last = read + 1, at
            waiting.append(one)
            if len(waiting) >= AT_ONCE:
                self._take(waiting)
                waiting = []
        else:
            self.cursor = max(self.cursor, until)
        self._take(waiting)
        oldest = int((now - self._seconds) // self._length)
        self._blocks = {start: block for start, block in self._blocks.items() if start >= oldest}
        return read

    def total(self) -> tuple[list[Counted], Served]:
        """Return what all columns came to, in the layout's order, and how rows were answered."""
        import numpy as np

        served = Served()
        for block in self._blocks.values():
            served.add(block.served)
        if not self._blocks:
            return [Counted(np.zeros(one.size, dtype="int64")) for one in self._layout.columns], served
        blocks = list(self._blocks.values())
        counts = np.sum([one.counts for one in blocks], axis=0, dtype="int64")
        lows, highs = np.min([one.lows for one in blocks], axis=0), np.max([one.highs for one in blocks], axis=0)
        outside = np.sum([one.outside for one in blocks], axis=0)
        found = [
            Counted(counts[place], float(lows[at]), float(highs[at]), int(outside[at]))
            for at, place in enumerate(self._layout.slices)
        ]
        return found, served

    def _take(self, rows: Sequence[Known]) -> None:
        """Count rows, which come in the order of their time, into their blocks."""
        if not rows:
            return
        numbers = [int(one.record.at // self._length) for one in rows]
        cuts = [0, *(at for at, (one, next_) in enumerate(pairwise(numbers), 1) if one != next_), len(rows)]
        for first, end in pairwise(cuts):
            counted, there = self._counted(rows[first:end]), self._blocks.get(numbers[first])
            self._blocks[numbers[first]] = counted if there is None else _sum(there, counted)

    def _counted(self, rows: Sequence[Known]) -> Block:
        import numpy as np

        answers = [answer_cells(one.output) if one.output else {} for one in rows]
        # An answer of a rule or a person is none of the model's.
        ours = [said for one, said in zip(rows, answers, strict=True) if said and _source(one) == MODEL]
        inputs: list[Mapping[str, Any]] = [one.inputs for one in rows]
        found = [one.count([cells.get(one.profile.name) for cells in inputs]) for one in self._layout.inputs]
        found += [one.count([cells.get(one.profile.name) for cells in ours]) for one in self._layout.answers]
        return Block(
            np.concatenate([one.counts for one in found]).astype("int32") if found else np.zeros(0, dtype="int32"),
            np.array([one.low for one in found]),
            np.array([one.high for one in found]),
            np.array([one.outside for one in found], dtype="int64"),
            _served(rows),
        )


def _sum(one: Block, other: Block) -> Block:
    import numpy as np

    served = Served()
    served.add(one.served)
    served.add(other.served)
    return Block(
        one.counts + other.counts,
        np.minimum(one.lows, other.lows),
        np.maximum(one.highs, other.highs),
        one.outside + other.outside,
        served,
    )


def _source(one: Known) -> str:
    return one.record.instances[one.instance].source


def _served(rows: Sequence[Known]) -> Served:
    found = Served(rows=len(rows))
    for one in rows:
        found.failed += one.record.status >= SERVER_ERROR
        if (source := _source(one)) != MODEL:
            found.fallback[source] = found.fallback.get(source, 0) + 1
        found.latencies[bisect_left(LATENCIES, one.record.ms)] += 1
    return found
