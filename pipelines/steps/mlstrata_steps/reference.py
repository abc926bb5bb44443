"""What a model was trained on and how it did, in counts: what its traffic is compared with while it is served.

It lies in the packaged model's folder, so it is sealed with it, and whoever serves a version has the reference of that
very version. No row of a person is in it, and texts that few rows have are not named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.curves import told_and_happened
from mlstrata_steps.parity import SMALL, groups_of
from mlstrata_steps.profile import CATEGORY, NUMBER, Profile, of_column, profiled
from mlstrata_steps.tasks.output import MULTICLASS, REGRESSION, Output
from mlstrata_steps.tasks.several import Several

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from mlstrata_steps.tasks import Task

FILE = "reference.json"
FORMAT = 1
TEST, TRAINING = "test", "training"
CALIBRATION_BINS = 20
LABEL, CONFIDENCE = "label", "confidence"
"""Columns of the answer's profile beside the output's own `probability` or `value`."""


@dataclass(frozen=True)
class Reference:
    """What a version is compared with.

    Attributes:
        task: Of its answer: binary, multiclass or regression; several, of which only inputs and metrics are told.
        output: Its output contract, as the model's metadata have it.
        measured_on: `test`: rows that training has not seen; `training`: those it has, so that answers look surer and
            metrics better than they are.
        rows: Training rows, of which the inputs' profiles are.
        inputs: The columns it was given.
        answers: What it answered on the rows of `measured_on`.
        calibration: Groups of rows in rising order of what was said: its mean, what happened, and the rows. Said is the
            probability (binary), that of the likeliest class (multiclass) or the value (regression); what happened is
            the share of positives, the share of right labels, or the mean absolute error with the mean squared one.
        metrics: Metric to value, low and high on the rows of `measured_on`, as far as they were measured.
        groups: Protected attribute to group to its figures (`tasks.Task.groups`), of groups with rows enough.
    """

    task: str
    output: Mapping[str, Any]
    measured_on: str
    rows: int
    inputs: tuple[Profile, ...]
    answers: tuple[Profile, ...]
    calibration: tuple[tuple[float, ...], ...] = ()
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def text(self) -> str:
        """Write it as JSON."""
        document = {
            "format": FORMAT,
            "task": self.task,
            "output": dict(self.output),
            "measured_on": self.measured_on,
            "rows": self.rows,
            "inputs": [one.document() for one in self.inputs],
            "answers": [one.document() for one in self.answers],
            "calibration": [list(one) for one in self.calibration],
            "metrics": {name: dict(one) for name, one in self.metrics.items()},
            "groups": {name: dict(one) for name, one in self.groups.items()},
        }
        return json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n"

    @classmethod
    def parse(cls, text: str | bytes) -> Reference:
        """Read what `text` gave.

        Raises:
            ValueError: It is none, or of a format that this code does not know.
        """
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            got = document.get("format") if isinstance(document, dict) else type(document).__name__
            raise ValueError(f"{FILE}: format: got {got!r}; allowed {FORMAT}; train the model again")
        try:
            return cls(
                str(document["task"]),
                document["output"],
                str(document["measured_on"]),
                int(document["rows"]),
                tuple(Profile.parsed(one) for one in document["inputs"]),
                tuple(Profile.parsed(one) for one in document["answers"]),
                tuple(tuple(float(number) for number in one) for one in document["calibration"]),
                document["metrics"],
                document["groups"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"{FILE}: {type(error).__name__}: {error}") from error


def reference_of(
    pipeline: Any,
    training: pd.DataFrame,
    roles: Columns,
    task: Task | Several,
    output: Output,
    *,
    test: pd.DataFrame | None = None,
    evaluation: Mapping[str, Any] | None = None,
) -> Reference:
    """Sum up what a model was trained on and how it does.

    Args:
        pipeline: The fitted model.
        training: The training rows.
        roles: The roles of the columns.
        task: What is asked of the training rows (`tasks.asked_of`).
        output: The contract of a model that learnt their labels (`tasks.Task.output`).
        test: Rows that training has not seen; None: the training rows stand in for them, and the result says so.
        evaluation: The report on the test rows (`evaluate.evaluate`): its metrics have intervals; None: none are told.
    """
    names = [str(name) for name in pipeline.feature_names_in_]
    measured = training if test is None else test
    metrics = (evaluation or {}).get("metrics", {})
    told = Reference(
        task=task.name,
        output=output.document(),
        measured_on=TRAINING if test is None else TEST,
        rows=len(training),
        inputs=tuple(of_column(name, training[name]) for name in names),
        answers=(),
        metrics={name: {key: float(one[key]) for key in ("value", "low", "high")} for name, one in metrics.items()},
    )
    if isinstance(task, Several):
        return told
    labels = task.labels(measured[roles.target])
    said = task.ask(pipeline, feature_frame(measured, names))
    return replace(
        told,
        answers=answer_profiles(output, output.predictions(said)),
        calibration=_calibration(task, labels, said),
        groups={name: _groups(task, measured[name], labels, said) for name in roles.protected if name in measured},
    )


def answer_profiles(output: Output, predictions: list[dict[str, Any]]) -> tuple[Profile, ...]:
    """Profile answers as they are served: a number, and a label where there is one.

    Args:
        output: The model's contract.
        predictions: One answer a row (`Output.predictions`).
    """
    cells = [answer_cells(one) for one in predictions]
    kinds = {"value": NUMBER} if output.task == REGRESSION else {_number_of(output): NUMBER, LABEL: CATEGORY}
    return tuple(profiled(name, (one.get(name) for one in cells), kind) for name, kind in kinds.items())


def answer_cells(prediction: Mapping[str, Any]) -> dict[str, Any]:
    """Give what of a served answer is profiled: of several classes the likeliest one's probability is `confidence`."""
    each = prediction.get("probabilities")
    if not isinstance(each, Mapping):
        return dict(prediction)
    return {LABEL: prediction.get(LABEL), CONFIDENCE: max(each.values(), default=None)}


def _number_of(output: Output) -> str:
    return CONFIDENCE if output.task == MULTICLASS else output.ranged


def _calibration(task: Task, labels: NDArray[Any], said: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    """Compare what is said with what happened, by what the task calls so (`Reference.calibration`)."""
    import numpy as np

    if task.name == REGRESSION:
        told, happened = said, np.column_stack([abs(said - labels), (said - labels) ** 2])
    elif task.name == MULTICLASS:
        told, happened = said.max(axis=1), (said.argmax(axis=1) == labels).astype("float64")[:, None]
    else:
        told, happened = said, labels.astype("float64")[:, None]
    found: tuple[tuple[float, ...], ...] = told_and_happened(told, happened, CALIBRATION_BINS)
    return found


def _groups(task: Task, column: pd.Series[object], labels: NDArray[Any], said: NDArray[np.float64]) -> dict[str, Any]:
    found = task.groups(groups_of(column), labels, said)
    return {name: figures for name, figures in found.items() if figures["rows"] >= SMALL}
