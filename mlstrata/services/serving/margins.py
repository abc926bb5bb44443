"""A model as a function of rows: where its answers add up, and where they are as they are given out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlstrata.services.serving.model import ServedModel
from mlstrata_steps.tasks.output import BINARY, MULTICLASS, Classes, Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOG_ODDS, PROBABILITY, VALUE = "log_odds", "probability", "value"
_LEAST = 1e-300


def given(model: ServedModel, rows: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """Return what a model answers: shape (rows, 1), or (rows, classes)."""
    return model.predict(rows).reshape(len(rows), -1)


def margins(output: Output, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return answers where a linear model's add up: log-odds of a probability, of several classes their centred logs.

    Args:
        output: The model's contract.
        values: What `given` gave.
    """
    import numpy as np

    if output.task == BINARY:
        with np.errstate(divide="ignore"):
            odds: NDArray[np.float64] = np.log(values) - np.log1p(-values)
        return odds
    if output.task == MULTICLASS:
        logs = np.log(np.maximum(values, _LEAST))
        centred: NDArray[np.float64] = logs - logs.mean(axis=1, keepdims=True)
        return centred
    return values


def unit_of(output: Output) -> str:
    """Return the unit of `margins`."""
    return LOG_ODDS if output.task in {BINARY, MULTICLASS} else VALUE


def given_unit_of(output: Output) -> str:
    """Return the unit of `given`."""
    return PROBABILITY if output.task in {BINARY, MULTICLASS} else VALUE


def explained_class(output: Output, one: NDArray[np.float64]) -> tuple[int, str]:
    """Return the place and name of what is explained of a row's answer: of several classes the likeliest."""
    if isinstance(output, Classes):
        place = int(one.argmax())
        return place, output.classes[place]
    return 0, ""
