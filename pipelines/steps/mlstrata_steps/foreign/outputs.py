"""Which output of somebody else's graph answers, and which of its columns is which class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlstrata_steps.converted.form import ordered
from mlstrata_steps.foreign.inputs import shown
from mlstrata_steps.outcome import StepError
from mlstrata_steps.tables import positives
from mlstrata_steps.tasks import Task
from mlstrata_steps.tasks.base import REGRESSOR
from mlstrata_steps.tasks.binary import Binary
from mlstrata_steps.tasks.multiclass import MultiClass

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_NUMBERS, _LABELS = ("tensor(float)", "tensor(double)"), ("tensor(int64)", "tensor(string)", "tensor(bool)")
_MAPPINGS = "seq(map("
_MATRIX, _TWO = 2, 2
_APART = 1e-3
"""What sums of probabilities may differ from 1 by: some are written with few digits."""
_ROUNDED = 1e-6


def answering(nodes: Sequence[Any], task: Task) -> tuple[str, str | None]:
    """Find the output that answers, and that of the labels, which says what the columns of the other one are.

    Args:
        nodes: The graph's outputs, as ONNX Runtime lists them.
        task: What is asked.

    Raises:
        StepError: There is none, or more than one; with the graph's names and shapes.
    """
    fitting = [one for one in nodes if one.type in _NUMBERS]
    wanted = "one output of numbers, float or double, a number a row"
    if task.learns != REGRESSOR:
        fitting += [one for one in nodes if one.type.startswith(_MAPPINGS)]
        wanted = "one output of probabilities: float or double, a column a class, or a mapping of classes (ZipMap)"
        if len(fitting) > 1:
            fitting = [one for one in fitting if "prob" in one.name.lower()]
    if len(fitting) != 1:
        raise StepError(f"model: the graph gives {shown(nodes)}; needed {wanted}")
    labels = [one.name for one in nodes if one.type in _LABELS]
    return fitting[0].name, labels[0] if task.learns != REGRESSOR and len(labels) == 1 else None


def classes_of(task: Task, column: pd.Series[object]) -> tuple[str, ...]:
    """List the target's classes in the contract's order, as texts: the positive one of two last; of numbers none."""
    if isinstance(task, MultiClass):
        return task.classes
    if task.learns == REGRESSOR:
        return ()
    ones = positives(column, task.positive if isinstance(task, Binary) else "1")
    return tuple(_text(column[side].dropna().iloc[0]) for side in (~ones, ones))


def order_of(classes: Sequence[str], given: Any, labels: Any, rows: int) -> tuple[int | str, ...]:
    """Find how an output is brought into the order of the classes; empty: it is read as it is.

    A mapping names its classes. The columns of a matrix are told by the labels that the graph gives beside it: the
    likeliest class of a row is its label. Without labels the columns are in the order of the classes.

    Args:
        classes: The target's classes (`classes_of`); none: it is a number.
        given: What the output gave for some rows.
        labels: What the labels' output gave for them; None: it has none.
        rows: How many rows.

    Raises:
        StepError: It is no answer of the task, or which column is which class cannot be told.
    """
    import numpy as np

    if isinstance(given, list):
        order = _placed(classes, {key: key for key in given[0]}, len(given[0]))
        _require_probabilities(ordered(given, order))
        return order
    values = np.asarray(given, dtype="float64")
    if not 1 <= values.ndim <= _MATRIX or len(values) != rows:
        raise StepError(f"model: the graph gives shape {values.shape} for {rows} rows; needed an answer a row")
    values = values.reshape(rows, -1)
    width = values.shape[1]
    # The positive class alone says what two columns do.
    if width != (len(classes) or 1) and (width, len(classes)) != (1, _TWO):
        what = f"the target has {len(classes)} classes: {', '.join(classes)}" if classes else "needed one"
        raise StepError(f"model: the graph gives {width} numbers a row; {what}")
    if not classes:
        return ()
    _require_probabilities(values)
    if width == 1 or labels is None:
        return ()
    counted: dict[int | str, Counter[Any]] = {}
    for column, label in zip(values.argmax(axis=1).tolist(), np.asarray(labels).reshape(-1).tolist(), strict=True):
        counted.setdefault(column, Counter())[label] += 1
    return _placed(classes, {column: one.most_common(1)[0][0] for column, one in counted.items()}, width)


def _placed(classes: Sequence[str], names: Mapping[int | str, Any], width: int) -> tuple[int | str, ...]:
    """Bring columns into the order of the classes.

    Args:
        classes: The target's, as the file has them.
        names: Key of a column to what the graph calls its class; of a matrix, of those columns that are known.
        width: How many columns there are.

    Raises:
        StepError: The graph's classes are others than the target's, or too few of them are known.
    """
    numbered = [str(place) for place in range(len(classes))]
    # As the target has them, or as the numbers or truths that the model's author made of them.
    truths = [["False", "True"]] if len(classes) == _TWO else []
    for known in (list(classes), numbered, *truths):
        places = {known.index(text): key for key, name in names.items() if (text := _text(name)) in known}
        if len(places) < len(names) or width != len(classes):
            continue
        if len(places) == width - 1:
            (place,), (key,) = set(range(width)) - set(places), set(range(width)) - set(names)
            places[place] = key
        if len(places) == width:
            return tuple(places[place] for place in range(width))
        if all(place == key for place, key in places.items()):
            return ()  # those that the rows hold are in their places
    raise StepError(
        f"model: the graph's classes are {', '.join(sorted(map(_text, names.values())))}; the target's are "
        f"{', '.join(classes)}; which column is which cannot be told: export it with ZipMap, or judge it on rows of "
        "every class"
    )


def _require_probabilities(values: NDArray[np.float64]) -> None:
    """Refuse scores and log-odds, which no threshold of a probability fits.

    Raises:
        StepError: They are none.
    """
    import numpy as np

    fine = bool(np.isfinite(values).all() and values.min() >= -_ROUNDED and values.max() <= 1 + _ROUNDED)
    if fine and values.shape[1] > 1:
        fine = bool((abs(values.sum(axis=1) - 1) <= _APART).all())
    if not fine:
        raise StepError(
            f"model: the graph gives {values.min():g} to {values.max():g}, a row's sum {values[0].sum():g}; needed "
            "probabilities: let it end in Sigmoid or Softmax, or write task: regression"
        )


def _text(name: Any) -> str:
    return f"{name:g}" if isinstance(name, float) else str(name)
