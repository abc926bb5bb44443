"""A column as a monitor compares it: how often each bin of its values was seen. At module level the standard library.

The bins are laid at training and go with the model; what is served is counted into the same ones, so that windows add
up and any of them is compared without reading a row again.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from mlstrata_steps.cells import NoValue, value

if TYPE_CHECKING:
    import pandas as pd

NUMBER, CATEGORY, BOOLEAN, DATE = "number", "category", "boolean", "date"
KINDS = (NUMBER, CATEGORY, BOOLEAN, DATE)
BINS = 10
"""Of a number: tenths of the rows."""
SAMPLE = 1000
"""Order statistics that are kept of a number, at the most: evenly chosen, they tell its distribution to 0.001."""
MOST = 50
"""Texts with a bin of their own, the commonest first."""
LEAST = 5
"""Rows that a text must have to be named: what fewer persons have can tell who they are."""
FLAGS = ("false", "true")
SLACK = 1e-6
"""By what share of itself a number may differ and be the same: 3.6 is written for the 3.5999999 of four bytes."""


@dataclass(frozen=True)
class Profile:
    """How often each bin of a column was seen.

    Attributes:
        name: The column.
        kind: One of `KINDS`.
        counts: Rows by bin: of a number the edges' bins, of others one a value; then those of no bin (a text that is
            not named, what is no number), then those with no value.
        edges: Of a number or date, in rising order: a bin is what is above the edge before it and up to its own.
        values: Of a category or boolean, the texts that have a bin.
        sample: Of a number or date, evenly chosen order statistics, rising, the lowest and highest among them.
    """

    name: str
    kind: str
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    sample: tuple[float, ...] = ()

    @property
    def numeric(self) -> bool:
        """Return whether its values have an order."""
        return self.kind in {NUMBER, DATE}

    @property
    def bins(self) -> int:
        """Return the number of bins, without those for no bin and for no value."""
        return len(self.edges) + 1 if self.numeric else len(self.values)

    @property
    def rows(self) -> int:
        """Return the rows that were counted."""
        return sum(self.counts)

    @property
    def range(self) -> tuple[float, float] | None:
        """Return the lowest and highest value; None where it has none."""
        return (self.sample[0], self.sample[-1]) if self.sample else None

    def labels(self) -> list[str]:
        """Name every count, for people."""
        if not self.numeric:
            return [*self.values, "other", "missing"]
        shown = [f"up to {_shown(edge, self.kind)}" for edge in self.edges]
        last = f"above {_shown(self.edges[-1], self.kind)}" if self.edges else "any"
        return [*shown, last, "no value of its kind", "missing"]

    def document(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        found: dict[str, Any] = {"name": self.name, "kind": self.kind, "counts": list(self.counts)}
        for key in ("edges", "values", "sample"):
            if held := getattr(self, key):
                found[key] = list(held)
        return found

    @classmethod
    def parsed(cls, document: Mapping[str, Any]) -> Profile:
        """Read what `document` gave.

        Raises:
            ValueError: It is none.
        """
        try:
            one = cls(
                str(document["name"]),
                str(document["kind"]),
                tuple(int(count) for count in document["counts"]),
                tuple(float(edge) for edge in document.get("edges", ())),
                tuple(str(text) for text in document.get("values", ())),
                tuple(float(number) for number in document.get("sample", ())),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"a column's profile: {type(error).__name__}: {error}") from error
        if one.kind not in KINDS or len(one.counts) != one.bins + 2 or min(one.counts) < 0:
            raise ValueError(f"a column's profile: {one.name!r} of kind {one.kind!r} has {len(one.counts)} counts")
        if list(one.edges) != sorted(set(one.edges)) or list(one.sample) != sorted(one.sample):
            raise ValueError(f"a column's profile: the edges or the sample of {one.name!r} do not rise")
        return one


def profiled(name: str, cells: Iterable[Any], kind: str) -> Profile:
    """Lay the bins of a column and count its rows.

    Args:
        name: The column.
        cells: A value a row; None where it is missing.
        kind: One of `KINDS`.
    """
    if kind in {NUMBER, DATE}:
        numbers = [number_of(cell, kind) for cell in cells]
        known = sorted(one for one in numbers if one is not None and math.isfinite(one))
        # Not rounded: where many rows share a value, one beside it would be another one.
        laid = Profile(name, kind, (), edges=_edges(known), sample=tuple(_chosen(known, SAMPLE)))
        return _with(laid, (place_of(one, laid) for one in numbers))
    texts = [text_of(cell) for cell in cells]
    values: tuple[str, ...] = FLAGS
    if kind != BOOLEAN:
        seen: dict[str, int] = {}
        for text in texts:
            if text is not None:
                seen[text] = seen.get(text, 0) + 1
        named = sorted((text for text, rows in seen.items() if rows >= LEAST), key=lambda one: (-seen[one], one))
        values = tuple(named[:MOST])
    laid, at = Profile(name, kind, (), values=values), {text: place for place, text in enumerate(values)}
    return _with(laid, (laid.bins + 1 if one is None else at.get(one, laid.bins) for one in texts))


def of_column(name: str, column: pd.Series[object]) -> Profile:
    """Profile a column of a canonical table."""
    from mlstrata_steps.tables import kind_of

    kinds = {"integer": NUMBER, "number": NUMBER, "boolean": BOOLEAN, "string": CATEGORY}
    return profiled(name, column.astype(object).where(column.notna(), None), kinds.get(kind_of(column), DATE))


def number_of(cell: Any, kind: str) -> float | None:
    """Read a cell as a number, a date as its seconds since 1970; None: missing, infinity: it is none.

    Infinity stands for what is no number, as no model is asked about it.
    """
    if cell is None:
        return None
    if kind == DATE:
        if not isinstance(cell, str | date | datetime):
            return math.inf
        try:
            moment = value(cell, "time")
        except NoValue:
            return math.inf
        return None if moment is None else float(moment.replace(tzinfo=UTC).timestamp())
    if not isinstance(cell, int | float):  # a flag is a number, too: 0 or 1
        return math.inf
    number = float(cell)
    return None if math.isnan(number) else number


def place_of(number: float | None, laid: Profile) -> int:
    """Return the place in a profile's counts of what `number_of` gave."""
    if number is None:
        return laid.bins + 1
    return laid.bins if math.isinf(number) else bisect_left(laid.edges, number)


def text_of(cell: Any) -> str | None:
    """Read a cell as the text that a bin is named by; None: missing."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, bool) or type(cell).__name__ == "bool_":
        return "true" if cell else "false"
    return str(cell)


def _edges(known: Sequence[float]) -> tuple[float, ...]:
    """Lay edges at tenths of the rows; of a number of few values at each of them but the last."""
    distinct = sorted(set(known))
    if len(distinct) <= BINS:
        return tuple(sorted({raised(one) for one in distinct[:-1]}))
    found = {known[min(len(known) - 1, math.ceil(len(known) * tenth / BINS) - 1)] for tenth in range(1, BINS)}
    # Nothing is above the highest value.
    return tuple(sorted({raised(one) for one in found - {distinct[-1]}}))


def raised(number: float) -> float:
    """Return what a number may be written as and be the same, at the most."""
    return number + abs(number) * SLACK


def _chosen(known: Sequence[float], most: int) -> list[float]:
    if len(known) <= most:
        return list(known)
    return [known[round(at * (len(known) - 1) / (most - 1))] for at in range(most)]


def _with(laid: Profile, places: Iterable[int]) -> Profile:
    counts = [0] * (laid.bins + 2)
    for place in places:
        counts[place] += 1
    return Profile(laid.name, laid.kind, tuple(counts), laid.edges, laid.values, laid.sample)


def _shown(edge: float, kind: str) -> str:
    return f"{datetime.fromtimestamp(edge, UTC):%Y-%m-%d %H:%M}" if kind == DATE else f"{edge:.6g}"
