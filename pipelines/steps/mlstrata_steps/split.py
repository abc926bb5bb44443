"""Step 3: training and test rows, chosen by the rows' own content so that the choice never moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import Columns
from mlstrata_steps.outcome import StepError, StepRefused
from mlstrata_steps.tables import read_table, row_hashes, write_table
from mlstrata_steps.tasks import task_of
from mlstrata_steps.tasks.base import CLASSIFIER

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

ROWS_EACH = 20
"""Rows that a stratum of several answers together has on average: a quarter of fewer would be hardly any."""


@dataclass(frozen=True)
class Split:
    """Numbers of rows on each side."""

    train: int
    test: int


def split(
    path: str, train: str, test: str, columns: Mapping[str, object], *, seed: int = 0, test_fraction: float = 0.25
) -> Split:
    """Split a snapshot, by class or by the size of a number, into two files.

    Within a class, rows are ordered by a seeded hash of their content and the first go to the test side. So the split
    does not depend on row order, a row's side hardly moves when others come or go, and rows that are equal stay
    together: a duplicate cannot be learnt by heart and then tested.

    Args:
        path: A canonical table.
        train: Where the training rows go.
        test: Where the test rows go.
        columns: The roles of the columns (`Columns`): both sides keep the target's shares.
        seed: Gives another split.
        test_fraction: Share of rows tested on, between 0 and 1.

    Raises:
        StepError: The target or the fraction makes no sense.
        StepRefused: One side would lack a class.
    """
    import numpy as np

    table, roles = read_table(path), Columns.parse(columns)
    tasks = {name: roles.of(name) for name in roles.names} or {"": roles}
    each = {name: (task_of(one, table), _strata(table, one)) for name, one in tasks.items()}
    strata = _joint([numbers for _, numbers in each.values()])
    if not 0 < test_fraction < 1:
        raise StepError(f"test_fraction: got {test_fraction}; it must lie between 0 and 1")
    tested = held_out(table, strata, seed=seed, test_fraction=test_fraction)
    for side, mine in (("training", ~tested), ("test", tested)):
        for name, (task, numbers) in each.items():
            has, all_ = len(np.unique(numbers[mine])), len(np.unique(numbers))
            if has < all_:
                what = "classes" if task.learns == CLASSIFIER else "tenths of the target's range"
                of = f" of {name}" if name else ""
                raise StepRefused([f"the {side} rows hold {has} of {all_} {what}{of}: too little data"])
    write_table(table[~tested].reset_index(drop=True), train)
    write_table(table[tested].reset_index(drop=True), test)
    return Split(int((~tested).sum()), int(tested.sum()))


def _strata(table: pd.DataFrame, roles: Columns) -> NDArray[Any]:
    task = task_of(roles, table)
    return task.strata(task.labels(table[roles.target]))


def _joint(each: list[NDArray[Any]]) -> NDArray[Any]:
    """Number the strata of several answers together, as long as these have rows enough on average: shape (rows,)."""
    import numpy as np

    joint = each[0]
    for numbers in each[1:]:
        both = np.unique(np.stack([joint, numbers]), axis=1, return_inverse=True)[1].reshape(-1)
        if len(np.unique(both)) * ROWS_EACH <= len(both):
            joint = both
    return joint


def held_out(table: pd.DataFrame, strata: NDArray[Any], *, seed: int, test_fraction: float) -> NDArray[np.bool_]:
    """Say which rows are tested on: shape (rows,); of each of the strata, shape (rows,), the same share."""
    import numpy as np

    keys = row_hashes(table, salt=f"split {seed}")
    tested = np.zeros(len(table), dtype=bool)
    for stratum in np.unique(strata):
        indices = np.flatnonzero(strata == stratum)
        ordered = indices[np.argsort(keys[indices], kind="stable")]
        wanted = round(len(ordered) * test_fraction)
        if 0 < wanted < len(ordered):
            # Equal rows have equal keys: the cut moves to the first of them.
            wanted = int(np.searchsorted(keys[ordered], keys[ordered[wanted]], side="left"))
        tested[ordered[:wanted]] = True
    return tested
