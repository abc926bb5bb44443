"""Figures of a workspace's own, such as the minutes that a model saves: functions of what happened and what it says.

The contract: `function(truth, said, rows) -> float`. It is asked about the test rows, and about a thousand resamples of
them for its interval, so it must give a number for any of these, and the same one for the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mlstrata_steps.outcome import StepError
from mlstrata_steps.own import line_of, own_module
from mlstrata_steps.tasks.metrics import Metric

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from mlstrata_steps.columns import Columns
    from mlstrata_steps.tasks.base import Task


class Measure(Protocol):
    """What a function of somebody's own must be."""

    def __call__(self, truth: NDArray[Any], said: NDArray[np.float64], rows: pd.DataFrame) -> float:
        """Measure some rows.

        Args:
            truth: Shape (rows,), what happened: 0 and 1 of two classes, 0 to classes - 1 of more, numbers of a
                regression.
            said: What the model says: the probability of 1, shape (rows,); of each class, shape (rows, classes); or
                numbers, shape (rows,).
            rows: All columns of these rows, those that the model does not see among them.
        """


@dataclass(frozen=True)
class OwnMetric(Metric):
    """A figure by a function of the workspace, of the rows of one table.

    Attributes:
        better: `higher` or `lower`.
        table: All rows that it may be asked about, in the order of labels and answers.
    """

    better: str
    table: pd.DataFrame

    def __call__(self, labels: Any, said: Any) -> float:
        """Measure all rows.

        Raises:
            StepError: The function fails, or gives no number.
        """
        return self._asked(labels, said, self.table)

    def at(self, labels: Any, said: Any, rows: Any) -> float:
        """Measure some rows, by their positions.

        Raises:
            StepError: The function fails, or gives no number.
        """
        return self._asked(labels[rows], said[rows], self.table.iloc[rows])

    @property
    def higher_is_better(self) -> bool:
        """Return which way is better."""
        return self.better == "higher"

    def _asked(self, labels: Any, said: Any, rows: pd.DataFrame) -> float:
        at = f"model.metrics.{self.name}"
        function: Any = self.measure
        try:
            found = float(function(labels, said, rows))
        except Exception as error:
            raise StepError(f"{at}: {type(error).__name__}: {error}{line_of(error)}") from error
        if not math.isfinite(found):
            raise StepError(
                f"{at}: gave {found} for {len(rows)} rows; needed a number for any choice of the test rows: "
                "return one, such as 0, where there is nothing to count"
            )
        return found


def metrics_of(task: Task, roles: Columns, table: pd.DataFrame) -> Mapping[str, Metric]:
    """Return what is measured of rows, by name: the task's own figures, then those of the workspace.

    Args:
        task: The kind of answer.
        roles: What is declared.
        table: The rows.

    Raises:
        StepError: A function is not there, or has the name of a figure of the task.
    """
    own = {name: _own(name, declared, table) for name, declared in roles.metrics.items()}
    if taken := sorted(set(own) & set(task.metrics)):
        raise StepError(f"model.metrics.{taken[0]}: evaluation measures a figure of this name; choose another")
    return {**task.metrics, **own}


def _own(name: str, declared: Mapping[str, str], table: pd.DataFrame) -> OwnMetric:
    reference, at = declared["function"].partition("@")[0], f"model.metrics.{name}"
    where, _, function = reference.partition(":")
    found = getattr(own_module(where, at), function, None)
    if not callable(found):
        raise StepError(f"{at}: {where} has no function {function!r}")
    return OwnMetric(name, found, declared["better"], table)
