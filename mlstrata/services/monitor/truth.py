"""Rows beside what really was: the live metric, in the very measure that the file declares, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata.services.monitor.drift import ALPHA
from mlstrata.services.recording.record import MODEL
from mlstrata_steps.tasks import Task
from mlstrata_steps.tasks.binary import Binary
from mlstrata_steps.tasks.metrics import Metric
from mlstrata_steps.tasks.multiclass import MultiClass
from mlstrata_steps.tasks.output import Classes, Output, Probability
from mlstrata_steps.tasks.regression import Regression

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlstrata.environments.spec.model import ModelSpec
    from mlstrata.services.recording.store import Known

RESAMPLES = 200
HEAVIEST = 100
"""Times that one row may count for: of rarer ones the interval would be of a handful of rows."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a model, as its steps know it.

    Attributes:
        task: The task.
        output: Its contract.
        positive: The target's value that counts as 1.
    """

    task: Task
    output: Output
    positive: str

    @classmethod
    def of(cls, output: Output, model: ModelSpec) -> Asked:
        """Take it from the version's contract and the system's declaration."""
        positive = "1" if model.positive is None else str(model.positive)
        if isinstance(output, Probability):
            return cls(Binary(positive, output.threshold), output, positive)
        if isinstance(output, Classes):
            return cls(MultiClass(output.classes), output, positive)
        return cls(Regression(model.quantile), output, positive)

    def label(self, truth: str | None) -> float | None:
        """Read what really was as the task's metrics take it; None: it is not known, or none of its values."""
        if truth is None:
            return None
        if isinstance(self.output, Classes):
            return float(self.output.classes.index(truth)) if truth in self.output.classes else None
        if isinstance(self.output, Probability):
            return float(_same(truth, self.positive))
        return _number(truth)


@dataclass(frozen=True)
class Answered:
    """Rows that the model answered.

    Attributes:
        said: Shape (rows,) or (rows, classes), what it said.
        labels: Shape (rows,), what happened; nan: not known.
        weights: Shape (rows,), for how many rows one stands: 1 / probability of being labelled.
        groups: A row's protected attributes.
    """

    said: NDArray[np.float64]
    labels: NDArray[np.float64]
    weights: NDArray[np.float64]
    groups: tuple[dict[str, str], ...]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Return which rows' truth is known: shape (rows,)."""
        import numpy as np

        return ~np.isnan(self.labels)


def answered(rows: Sequence[Known], asked: Asked) -> Answered:
    """Take what the model said, and what is known of it; what another answered is left out."""
    import numpy as np

    said, labels, weights, groups = [], [], [], []
    for one in rows:
        if not one.output or one.record.instances[one.instance].source != MODEL:
            continue
        numbers = asked.task.predicted(one.output)
        if not np.isfinite(numbers).all():
            continue
        label = asked.label(one.feedback.truth) if one.feedback else None
        said.append(numbers)
        labels.append(float("nan") if label is None else label)
        weights.append(1 / one.feedback.sampled if one.feedback and one.feedback.sampled > 0 else 1.0)
        groups.append(dict(one.feedback.groups) if one.feedback else {})
    told = np.array(said, dtype="float64")
    if not isinstance(asked.output, Classes):
        told = told.reshape(-1)
    return Answered(told, np.array(labels), np.array(weights), tuple(groups))


@dataclass(frozen=True)
class Live:
    """A metric of live rows.

    Attributes:
        value: Of the rows whose truth is known, each for as many as it stands for.
        low: Lower end of the interval outside of which it is with a probability of `drift.ALPHA`.
        high: Upper end.
        rows: Rows whose truth is known.
    """

    value: float
    low: float
    high: float
    rows: int


def measure(metric: Metric, rows: Answered, task: Task, *, seed: int = 0) -> Live | None:
    """Measure a metric where the truth is known; None where these rows do not define it.

    Rows that were sampled for labelling stand for those that were not (Horvitz and Thompson 1952): each is repeated in
    proportion to 1 / its probability. The interval is a normal one around the bootstrap's spread, as percentiles this
    far out would need many thousand resamples.
    """
    import numpy as np
    from scipy.special import ndtri

    known = rows.known
    labels, said = rows.labels[known], rows.said[known]
    if task.learns == "classifier":
        labels = labels.astype("int64")
    if not len(labels):
        return None
    weights = rows.weights[known]
    times = np.clip(np.round(weights / weights.min()), 1, HEAVIEST).astype("int64")

    def of(drawn: NDArray[np.int64]) -> float:
        repeated = np.repeat(drawn, times[drawn])
        with np.errstate(all="ignore"):
            try:
                return float(metric(labels[repeated], said[repeated]))
            except (ValueError, ZeroDivisionError):
                return float("nan")

    value = of(np.arange(len(labels)))
    if not np.isfinite(value):
        return None
    random = np.random.default_rng(seed)
    strata = task.resampled(labels)
    parts = [np.flatnonzero(strata == one) for one in np.unique(strata)]
    drawn = [of(np.concatenate([random.choice(part, len(part)) for part in parts])) for _ in range(RESAMPLES)]
    spread = float(np.nanstd(drawn))
    wide = float(ndtri(1 - ALPHA / 2)) * spread
    return Live(value, value - wide, value + wide, len(labels))


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    ours, theirs = _number(one), _number(other)
    return ours is not None and ours == theirs


def _number(text: Any) -> float | None:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if number - number == 0 else None
