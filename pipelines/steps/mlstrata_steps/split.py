"""Step 3: training and test rows, chosen by the rows' own content so that the choice never moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlstrata_steps.outcome import StepError, StepRefused
from mlstrata_steps.tables import read_table, row_hashes, write_table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class Split:
    """Numbers of rows on each side."""

    train: int
    test: int


def split(path: str, train: str, test: str, target: str, *, seed: int = 0, test_fraction: float = 0.25) -> Split:
    """Split a snapshot, by class, into two files.

    Within a class, rows are ordered by a seeded hash of their content and the first go to the test side. So the split
    does not depend on row order, a row's side hardly moves when others come or go, and rows that are equal stay
    together: a duplicate cannot be learnt by heart and then tested.

    Args:
        path: A canonical table.
        train: Where the training rows go.
        test: Where the test rows go.
        target: The column whose shares both sides keep.
        seed: Gives another split.
        test_fraction: Share of rows tested on, between 0 and 1.

    Raises:
        StepError: The target or the fraction makes no sense.
        StepRefused: One side would hold a single class.
    """
    table = read_table(path)
    if target not in table.columns:
        raise StepError(f"target: got {target!r}; the data has {', '.join(table.columns)}")
    if not 0 < test_fraction < 1:
        raise StepError(f"test_fraction: got {test_fraction}; it must lie between 0 and 1")
    tested = held_out(table, target, seed=seed, test_fraction=test_fraction)
    sides = {"training": table[~tested], "test": table[tested]}
    lonely = [side for side, rows in sides.items() if rows[target].nunique() < table[target].nunique()]
    if lonely:
        raise StepRefused([f"the {lonely[0]} rows hold {sides[lonely[0]][target].nunique()} class: too little data"])
    write_table(sides["training"].reset_index(drop=True), train)
    write_table(sides["test"].reset_index(drop=True), test)
    return Split(int((~tested).sum()), int(tested.sum()))


def held_out(table: pd.DataFrame, target: str, *, seed: int, test_fraction: float) -> np.ndarray:
    """Say which rows are tested on: shape (rows,), booleans."""
    import numpy as np

    keys = row_hashes(table, salt=f"split {seed}")
    tested = np.zeros(len(table), dtype=bool)
    for indices in table.groupby(target, sort=True).indices.values():
        ordered = indices[np.argsort(keys[indices], kind="stable")]
        wanted = round(len(ordered) * test_fraction)
        if 0 < wanted < len(ordered):
            # Equal rows have equal keys: the cut moves to the first of them.
            wanted = int(np.searchsorted(keys[ordered], keys[ordered[wanted]], side="left"))
        tested[ordered[:wanted]] = True
    return tested
