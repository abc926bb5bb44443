"""Several answers of one system, by name: each is learnt and judged as a single one is, and the worst of them decides.

A step that judges asks `alone` for the roles of each answer alone, does what it does of one, and puts the reports
`together` under the answers' names. A figure of an answer is called NAME.FIGURE.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import Columns
from mlstrata_steps.outcome import StepError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

OUTPUTS = "outputs"
"""What a mapping of rules, hyperparameters or reports calls the parts that are of one answer alone."""


def alone(columns: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Give the roles of each answer alone, by name and in the order of names; empty: there is one, without a name.

    Raises:
        StepError: The roles are malformed.
    """
    roles = Columns.parse(columns)
    return {name: roles.of(name).document() for name in roles.names}


def rules_of(rules: Mapping[str, object], name: str) -> dict[str, object]:
    """Give what is declared of one answer: what holds of all, and over it what holds of this one."""
    own = rules.get(OUTPUTS) or {}
    mine = own.get(name) or {} if isinstance(own, Mapping) else {}
    return {key: value for key, value in rules.items() if key != OUTPUTS} | dict(mine)


def part_of(document: Mapping[str, object], name: str) -> dict[str, Any]:
    """Give the part of a report, or of what training saw, that is of one answer.

    Raises:
        StepError: It has none.
    """
    every = document.get(OUTPUTS)
    found = every.get(name) if isinstance(every, Mapping) else None
    if not isinstance(found, Mapping):
        raise StepError(f"{OUTPUTS}: the report of an earlier step has none of {name!r}; train the model again")
    return dict(found)


def together(reports: Mapping[str, Mapping[str, Any]]) -> dict[str, object]:
    """Put reports of the answers together (`outcome.report_of`): one that failed fails all.

    Args:
        reports: Name to report. What they have beside checks, numbers and a headline is kept by name, and a mapping
            also by NAME.KEY.
    """
    found: dict[str, Any] = {
        "passed": all(report["passed"] for report in reports.values()),
        "checks": [
            {**check, "name": f"{name}: {check['name']}"}
            for name, report in reports.items()
            for check in report["checks"]
        ],
        "headline": "; ".join(f"{name}: {report['headline']}" for name, report in reports.items()),
        OUTPUTS: {name: dict(report) for name, report in reports.items()},
    }
    for name, report in reports.items():
        for key, value in report.items():
            if isinstance(value, Mapping):
                found.setdefault(key, {}).update({f"{name}.{one}": each for one, each in value.items()})
    return found


class Models:
    """The fitted models of several answers; they see the same columns."""

    def __init__(self, models: Mapping[str, Pipeline]) -> None:
        """Take a model for each answer, by its name."""
        self.models = {name: models[name] for name in sorted(models)}

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """Return what each of them sees."""
        names: NDArray[np.object_] = next(iter(self.models.values())).feature_names_in_
        return names

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Ask all of them: shape (rows, columns), those of each answer beside those of the one before it.

        A classifier gives a column a class, a regressor one.
        """
        import numpy as np

        return np.hstack(
            [
                np.asarray(one.predict_proba(features) if hasattr(one, "predict_proba") else one.predict(features))
                .astype("float64")
                .reshape(len(features), -1)
                for one in self.models.values()
            ]
        )
