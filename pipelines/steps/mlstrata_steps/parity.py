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


def parity(groups: pd.Series[object], labels: NDArray[np.int64], chosen: NDArray[np.bool_]) -> dict[str, object]:
    """Compare the rates of positive labels between groups.

    Args:
        groups: Shape (rows,), a row's group; a missing one is the group "missing".
        labels: Shape (rows,), what happened, 0 or 1.
        chosen: Shape (rows,), whether the model says positive.

    Returns:
        `gap`: the largest difference of positive rates between groups (demographic parity difference, Dwork et al.
        2012), None with fewer than two groups of `SMALL` rows or more; `groups`: rows, positive_rate, base_rate and
        true_positive_rate of each.
    """
    named = groups.astype("string").fillna("missing").to_numpy(dtype=object)
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
