"""The groups of a protected column."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
