"""What training does against differences between groups: it weighs rows (reweighing, Kamiran and Calders 2012).

With the weights, how often an answer occurs is the same in every group, as if the two had nothing to do with each
other: a model learns less of their difference. It sees no protected column for that, and its predictions need none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlstrata_steps.columns import Columns
from mlstrata_steps.outcome import StepError
from mlstrata_steps.parity import SMALL, groups_of
from mlstrata_steps.rules import parsed
from mlstrata_steps.tasks import task_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

METHODS = ("none", "reweigh")


@dataclass(frozen=True)
class MitigationRules:
    """What is done.

    Attributes:
        method: One of `METHODS`; `reweigh` counts rows so that no protected group has more of an answer than another.
    """

    method: str = "none"

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> MitigationRules:
        """Read rules from plain JSON values.

        Raises:
            StepError: A rule is unknown or of the wrong type.
        """
        rules = parsed(cls, "mitigation", document)
        if rules.method not in METHODS:
            raise StepError(f"mitigation.method: got {rules.method!r}; allowed {', '.join(METHODS)}")
        return rules


def row_weights(table: pd.DataFrame, roles: Columns, rules: MitigationRules) -> NDArray[np.float64] | None:
    """Weigh training rows.

    Args:
        table: The training rows, with target and protected columns.
        roles: The roles of the columns; several protected ones are taken together, as a row is in a group of each.
        rules: What to do.

    Returns:
        Shape (rows,), 1 on average; None where nothing is weighed. Rows of groups with fewer than `parity.SMALL` rows
        keep the weight 1: what so few had for an answer says little.

    Raises:
        StepError: There is no protected column to weigh by.
    """
    import numpy as np

    if rules.method == "none":
        return None
    if not roles.protected:
        raise StepError("mitigation.method: reweigh needs a protected column; model.protected names none")
    task = task_of(roles, table)
    labels = task.strata(task.labels(table[roles.target]))
    named = zip(*(groups_of(table[name]) for name in roles.protected), strict=True)
    # With their lengths: no name can imitate the border between two.
    groups = np.array(["".join(f"{len(one)}:{one}" for one in row) for row in named], dtype=object)
    weights = np.ones(len(table))
    for group in set(groups):
        mine = groups == group
        for answer in np.unique(labels):
            both = mine & (labels == answer)
            if mine.sum() >= SMALL and both.any():
                weights[both] = mine.mean() * (labels == answer).mean() / both.mean()
    return weights / weights.mean()


def fitting(
    weights: NDArray[np.float64] | None, rows: NDArray[np.int64] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Give what a pipeline's `fit` takes more than features and labels, for all rows or some.

    Args:
        weights: Of all rows; None: none.
        rows: Positions of the rows it is fitted on; None: all.
    """
    if weights is None:
        return {}
    return {"classify__sample_weight": weights if rows is None else weights[rows]}
