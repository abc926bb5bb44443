"""How differently a model treats the groups of a protected column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstrata_steps.intervals import CUT

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SMALL = 30
"""Groups with fewer test rows are listed, and left out of the gap: their rates are noise."""


FEW = 10
"""Distinct numbers up to which each is a group of its own."""


def groups_of(column: pd.Series[object]) -> NDArray[np.object_]:
    """Name the group of each row: its value, or for a number of many values (an age) the quarter of the rows it is in.

    Args:
        column: Shape (rows,), a protected column; a missing value is the group "missing".

    Returns:
        Shape (rows,), texts; a quarter is named by its first and last value, such as "18 to 27".
    """
    import numpy as np
    import pandas as pd

    named = column.astype("string").fillna("missing").to_numpy(dtype=object)
    if not pd.api.types.is_numeric_dtype(column) or column.nunique() <= FEW:
        return named
    values = column.to_numpy(dtype="float64", na_value=np.nan)
    known = ~np.isnan(values)
    quarter = np.searchsorted(np.quantile(values[known], (0.25, 0.5, 0.75)), values)
    for one in range(4):
        mine = known & (quarter == one)
        if mine.any():
            named[mine] = f"{values[mine].min():.10g} to {values[mine].max():.10g}"
    return named


def parity(groups: pd.Series[object], labels: NDArray[np.int64], chosen: NDArray[np.bool_]) -> dict[str, object]:
    """Compare the rates of positive labels between groups.

    Args:
        groups: Shape (rows,), what `groups_of` makes groups of.
        labels: Shape (rows,), what happened, 0 or 1.
        chosen: Shape (rows,), whether the model says positive.

    Returns:
        `gap`: the largest difference of positive rates between groups (demographic parity difference, Dwork et al.
        2012), None with fewer than two groups of `SMALL` rows or more; `groups`: rows, positive_rate, base_rate and
        true_positive_rate of each.
    """
    named = groups_of(groups)
    found: dict[str, dict[str, float | int | None]] = {}
    for name in sorted(set(named)):
        mine = named == name
        events = mine & (labels == 1)
        found[str(name)] = {
            "rows": int(mine.sum()),
            "positive_rate": float(chosen[mine].mean()),
            "base_rate": float(labels[mine].mean()),
            "true_positive_rate": float(chosen[events].mean()) if events.any() else None,
        }
    rates = [float(group["positive_rate"] or 0.0) for group in found.values() if (group["rows"] or 0) >= SMALL]
    gap = max(rates) - min(rates) if len(rates) > 1 else None
    return {"gap": gap, "cut": CUT, "groups": found}
