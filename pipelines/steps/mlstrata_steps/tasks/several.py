"""Several answers at once, as far as a packaged model is asked for all of them: to be signed, served and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlstrata_steps.tasks.output import SEVERAL
from mlstrata_steps.tasks.several_outputs import Answers

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mlstrata_steps.columns import Columns
    from mlstrata_steps.several import Models
    from mlstrata_steps.tasks.base import Said, Task


class Several:
    """The tasks of several answers; what each of them is judged by, its own task says."""

    name, answer = SEVERAL, "answers"

    def __init__(self, each: Mapping[str, Task]) -> None:
        """Take a task for each answer, by its name."""
        self.each = {name: each[name] for name in sorted(each)}

    def ask(self, model: Models, features: pd.DataFrame) -> Said:
        """Ask fitted estimators, as the contract reads it: shape (rows, columns)."""
        import numpy as np

        said = [task.ask(model.models[name], features).reshape(len(features), -1) for name, task in self.each.items()]
        return np.hstack(said)

    def predicted(self, prediction: Mapping[str, Any]) -> list[float]:
        """Read one prediction as it is served; numbers that are not there are nan."""
        return [value for name, task in self.each.items() for value in task.predicted(prediction.get(name) or {})]

    def output(self, table: pd.DataFrame, roles: Columns) -> Answers:
        """Give the contract of a model that was trained on a table."""
        columns = {name: table[roles.of(name).target] for name in self.each}
        return Answers(
            {name: task.output(task.answers(task.labels(columns[name]))) for name, task in self.each.items()}
        )

    def strata(self, table: pd.DataFrame, roles: Columns) -> dict[str, np.ndarray[Any, Any]]:
        """Number the strata of each answer (`base.Task.strata`): name to shape (rows,)."""
        return {name: task.strata(task.labels(table[roles.of(name).target])) for name, task in self.each.items()}
