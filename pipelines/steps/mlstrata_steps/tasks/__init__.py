"""Kinds of answer. A step asks `task_of` for the one of its table, and knows no more of it than `base.Task` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstrata_steps.outcome import StepError
from mlstrata_steps.tasks.base import Gap, Task
from mlstrata_steps.tasks.binary import Binary
from mlstrata_steps.tasks.metrics import CLASSIFICATION, REGRESSION, Metric
from mlstrata_steps.tasks.multiclass import MultiClass, classes_of
from mlstrata_steps.tasks.output import THRESHOLD, Output
from mlstrata_steps.tasks.regression import Regression
from mlstrata_steps.tasks.several import Several

if TYPE_CHECKING:
    import pandas as pd

    from mlstrata_steps.columns import Columns

__all__ = [
    "CLASSIFICATION",
    "REGRESSION",
    "Gap",
    "Metric",
    "Output",
    "Several",
    "Task",
    "asked_of",
    "named_metric",
    "task_of",
]

_TWO = 2


def task_of(roles: Columns, table: pd.DataFrame) -> Task:
    """Find what is asked of a table.

    A classification is of two classes where one of them is declared as the positive one, or the target has no more than
    two values (then 1 is); of more values it has as many classes.

    Args:
        roles: What is declared.
        table: Rows with every class: all of them, or one side of `split`.

    Raises:
        StepError: The target is none of its columns.
    """
    if roles.target not in table.columns:
        raise StepError(f"target: got {roles.target!r}; the data has {', '.join(table.columns)}")
    if roles.task == "regression":
        return Regression(roles.quantile, roles.interval)
    classes = () if roles.positive else classes_of(table[roles.target])
    if len(classes) <= _TWO:
        return Binary(roles.positive or "1", THRESHOLD if roles.threshold is None else roles.threshold)
    return MultiClass(classes)


def asked_of(roles: Columns, table: pd.DataFrame) -> Task | Several:
    """Find what a packaged model is asked: its task, or the tasks of several answers.

    Raises:
        StepError: A target is none of the table's columns.
    """
    if not roles.names:
        return task_of(roles, table)
    return Several({name: task_of(roles.of(name), table) for name in roles.names})


def named_metric(task: Task, name: str, where: str) -> Metric:
    """Find a metric of a task; the empty name is its headline.

    Raises:
        StepError: The task has none of this name.
    """
    if name and name not in task.metrics:
        raise StepError(f"{where}: got {name!r}; allowed {', '.join(task.metrics)}")
    return task.metrics[name or task.headline]
