"""What a model answers: its output contract, kept in the model's own metadata.

Serving, batch, the OpenAPI document and every report read it there, and nothing else decides what an answer looks like.
A model without one, made before there were any or by hand, gives the probability of one class. At module level only the
standard library: the program reads it, too.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from mlstrata_steps.outcome import StepError
from mlstrata_steps.tasks.conformal import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

METADATA = "output"
"""The key in the model's metadata."""
BINARY, MULTICLASS, REGRESSION = "binary", "multiclass", "regression"
SEVERAL = "several"
"""Several answers, each by a name and of one of these kinds (`several_outputs.Answers`)."""
INTERVAL = "interval"
"""What a contract and an evaluation call what comes around a number."""
THRESHOLD = 0.5
"""The probability from which a label is positive, where none is declared: both errors weigh alike."""
PROBABILITY, VALUE = "probability", "value"
"""What the plausible range of an output is declared under (`monitor.range`): of a classifier, of a regression."""
FEWEST_CLASSES = 3
_TABLE = 2
_ROUNDED = 1e-6
"""What sums of single precision leave beyond 0 and 1."""

Declared = Sequence[float] | Mapping[str, Sequence[float]] | None
"""Lowest and highest plausible value, as the environment's file has it; of several answers by their names."""
Tensor = tuple[str, str, list[int], list[Any]]
"""Name, datatype and shape of the V2 protocol, and the values in one list."""
_KINDS: dict[str, type[Output]] = {}


class OutputError(ValueError):
    """A model gave something that its contract does not allow."""


class Output(ABC):
    """A model's output; `values` are what `read` gives, shape (rows,) or (rows, classes)."""

    task: ClassVar[str]
    ranged: ClassVar[str]
    """`PROBABILITY` or `VALUE`."""

    def __init_subclass__(cls) -> None:
        """Know a contract by its task: `tasks` imports all there are, and is imported before this module."""
        _KINDS[cls.task] = cls

    @staticmethod
    def of(metadata: Mapping[str, Any] | None) -> Output:
        """Read the contract from a model's metadata; none there: one probability.

        Raises:
            StepError: It is none that this code knows.
        """
        document = (metadata or {}).get(METADATA)
        if document is None:
            return Probability()
        try:
            return _KINDS[document["task"]].parsed(document)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            allowed = ", ".join(_KINDS)
            raise StepError(f"metadata.{METADATA}: got {document!r}; allowed a contract of {allowed}") from error

    @classmethod
    @abstractmethod
    def parsed(cls, document: Mapping[str, Any]) -> Output:
        """Read it from plain JSON values."""

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """Give it as plain JSON values."""

    def measured(self, evaluation: Mapping[str, Any]) -> Output:  # noqa: ARG002 - of the contract
        """Give the contract with what an evaluation found of its answers: of most kinds there is nothing to add."""
        return self

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Return the shape of what the packaged model's `predict` gives; -1 stands for the rows."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Return the columns of a scored table."""

    @abstractmethod
    def read(self, given: object, rows: int) -> NDArray[np.float64]:
        """Read what a model's `predict` gave for some rows.

        Raises:
            OutputError: It has another shape, or holds no numbers.
        """

    @abstractmethod
    def outside(self, values: NDArray[np.float64], declared: Declared) -> tuple[float, str] | None:
        """Find a value that is not plausible, and say what is; none: all are.

        Args:
            values: What `read` gave.
            declared: Lowest and highest plausible value, as the environment's file has it; by name for several answers.
        """

    @abstractmethod
    def predictions(self, values: NDArray[np.float64]) -> list[dict[str, Any]]:
        """Write one answer a row, as it is served."""

    @abstractmethod
    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """Write a prediction as the `columns` of a scored table."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Describe a prediction's fields: name to JSON schema."""

    @abstractmethod
    def tensors(self, values: NDArray[np.float64]) -> list[Tensor]:
        """Write answers as outputs of the V2 protocol."""


@dataclass(frozen=True)
class Probability(Output):
    """The probability of one of two classes, and 1 as the label from the threshold on."""

    threshold: float = THRESHOLD
    task, ranged = BINARY, PROBABILITY

    @classmethod
    def parsed(cls, document: Mapping[str, Any]) -> Probability:
        """Read it from plain JSON values."""
        threshold = float(document.get("threshold", THRESHOLD))
        if not 0 < threshold < 1:
            raise ValueError("threshold")
        return cls(threshold)

    def document(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        return {"task": self.task, "threshold": self.threshold}

    @property
    def shape(self) -> tuple[int, ...]:
        """Return two columns, the positive class last."""
        return (-1, 2)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return probability and label."""
        return ("probability", "label")

    def read(self, given: object, rows: int) -> NDArray[np.float64]:
        """Read (rows, 2), a column a class, the positive last; or (rows,) or (rows, 1), the positive class alone."""
        values = numbers_of(given)
        if values.ndim == _TABLE and values.shape[1] in {1, 2}:
            values = values[:, -1]
        return _cut(shaped(values, (rows,), f"({rows},) or ({rows}, 2)"))

    def outside(self, values: NDArray[np.float64], declared: Declared) -> tuple[float, str] | None:
        """Find what is no probability, or none that this system can have."""
        return _outside(values, *(ends_of(declared) or (0.0, 1.0)))

    def predictions(self, values: NDArray[np.float64]) -> list[dict[str, Any]]:
        """Write probability and label."""
        return [{"probability": value, "label": int(value >= self.threshold)} for value in values.tolist()]

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """Write probability and label."""
        return dict(prediction)

    def schema(self) -> dict[str, Any]:
        """Describe probability and label."""
        return {
            "probability": _PROBABILITY,
            "label": {"enum": [0, 1], "description": f"1 where the probability is {self.threshold:g} or more."},
        }

    def tensors(self, values: NDArray[np.float64]) -> list[Tensor]:
        """Write the probabilities."""
        return [("probability", "FP64", [len(values)], values.tolist())]


@dataclass(frozen=True)
class Classes(Output):
    """A probability for each of several classes, and the likeliest as the label."""

    classes: tuple[str, ...]
    task, ranged = MULTICLASS, PROBABILITY

    @classmethod
    def parsed(cls, document: Mapping[str, Any]) -> Classes:
        """Read it from plain JSON values."""
        classes = tuple(map(str, document["classes"]))
        if len(set(classes)) != len(classes) or len(classes) < FEWEST_CLASSES:
            raise ValueError("classes")
        return cls(classes)

    def document(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        return {"task": self.task, "classes": list(self.classes)}

    @property
    def shape(self) -> tuple[int, ...]:
        """Return a column a class."""
        return (-1, len(self.classes))

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the label, and a probability for each class."""
        return ("label", *(f"probability_{name}" for name in self.classes))

    def read(self, given: object, rows: int) -> NDArray[np.float64]:
        """Read (rows, classes), in the order of the classes."""
        wanted = (rows, len(self.classes))
        return _cut(shaped(numbers_of(given), wanted, str(wanted)))

    def outside(self, values: NDArray[np.float64], declared: Declared) -> tuple[float, str] | None:
        """Find what is no probability, or none that this system can have."""
        return _outside(values.reshape(-1), *(ends_of(declared) or (0.0, 1.0)))

    def predictions(self, values: NDArray[np.float64]) -> list[dict[str, Any]]:
        """Write the likeliest class and the probability of each."""
        return [
            {"label": self.classes[place], "probabilities": dict(zip(self.classes, row, strict=True))}
            for place, row in zip(values.argmax(axis=1).tolist(), values.tolist(), strict=True)
        ]

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """Write the label, and each probability in a column of its own."""
        each = {f"probability_{name}": value for name, value in prediction["probabilities"].items()}
        return {"label": prediction["label"], **each}

    def schema(self) -> dict[str, Any]:
        """Describe the label and the probabilities."""
        each = {
            "type": "object",
            "properties": dict.fromkeys(self.classes, _PROBABILITY),
            "required": list(self.classes),
            "additionalProperties": False,
        }
        return {
            "label": {"enum": list(self.classes), "description": "The likeliest class."},
            "probabilities": {**each, "description": "Of each class; they sum to 1."},
        }

    def tensors(self, values: NDArray[np.float64]) -> list[Tensor]:
        """Write labels and probabilities."""
        labels = [self.classes[place] for place in values.argmax(axis=1).tolist()]
        return [
            ("label", "BYTES", [len(values)], labels),
            ("probabilities", "FP64", list(values.shape), values.reshape(-1).tolist()),
        ]


@dataclass(frozen=True)
class Value(Output):
    """A number, in the target's own unit.

    Attributes:
        range: Lowest and highest plausible value; None: any finite one.
        interval: How far around it the true number lies; None: nobody measured that.
    """

    range: tuple[float, float] | None = None
    interval: Interval | None = None
    task, ranged = REGRESSION, VALUE

    @classmethod
    def parsed(cls, document: Mapping[str, Any]) -> Value:
        """Read it from plain JSON values."""
        interval = None if document.get(INTERVAL) is None else Interval.parsed(document[INTERVAL])
        if document.get("range") is None:
            return cls(None, interval)
        low, high = (float(end) for end in document["range"])
        if not low < high:
            raise ValueError("range")
        return cls((low, high), interval)

    def document(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        beside = {} if self.interval is None else {INTERVAL: self.interval.document()}
        return {"task": self.task, **({} if self.range is None else {"range": list(self.range)}), **beside}

    def measured(self, evaluation: Mapping[str, Any]) -> Value:
        """Give it with the interval that was found, where one was asked for."""
        found = evaluation.get(INTERVAL)
        return replace(self, interval=Interval.parsed(found)) if found else self

    @property
    def shape(self) -> tuple[int, ...]:
        """Return one number a row."""
        return (-1,)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the value, and the ends of its interval where it has one."""
        return ("value",) if self.interval is None else ("value", "low", "high")

    def read(self, given: object, rows: int) -> NDArray[np.float64]:
        """Read (rows,) or (rows, 1)."""
        values = numbers_of(given)
        if values.ndim == _TABLE and values.shape[1] == 1:
            values = values[:, 0]
        return shaped(values, (rows,), f"({rows},)")

    def outside(self, values: NDArray[np.float64], declared: Declared) -> tuple[float, str] | None:
        """Find what is no number, or far outside of what training saw."""
        return _outside(values, *(ends_of(declared) or self.range or (-math.inf, math.inf)))

    def predictions(self, values: NDArray[np.float64]) -> list[dict[str, Any]]:
        """Write the value, with the ends of its interval where it has one."""
        if (around := self.interval) is None:
            return [{"value": value} for value in values.tolist()]
        return [
            {"value": value, "low": value + around.below, "high": value + around.above} for value in values.tolist()
        ]

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """Write the value."""
        return dict(prediction)

    def schema(self) -> dict[str, Any]:
        """Describe the value, and the ends of its interval where it has one."""
        if (around := self.interval) is None:
            return {"value": {"type": "number"}}
        held = f"of the interval that holds the true number in {around.share:.4g} of cases."
        ends = {"low": "Lower", "high": "Upper"}
        return {"value": {"type": "number"}} | {
            name: {"type": "number", "description": f"{end} end {held}"} for name, end in ends.items()
        }

    def tensors(self, values: NDArray[np.float64]) -> list[Tensor]:
        """Write the values, and the ends of their intervals where they have some."""
        told = self.predictions(values)
        return [(name, "FP64", [len(values)], [one[name] for one in told]) for name in self.columns]


_PROBABILITY: Mapping[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}


def ends_of(declared: Declared) -> Sequence[float]:
    """Return what is declared of a single answer; empty where nothing is."""
    return () if declared is None or isinstance(declared, Mapping) else declared


def numbers_of(given: object) -> NDArray[np.float64]:
    """Read what a model gave as numbers.

    Raises:
        OutputError: It holds others.
    """
    import numpy as np

    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise OutputError(f"the model gave {type(given).__name__} that holds no numbers") from None


def shaped(values: NDArray[np.float64], wanted: tuple[int, ...], words: str) -> NDArray[np.float64]:
    """Give numbers back that have a shape, whose first place is the instances.

    Raises:
        OutputError: They have another one.
    """
    if values.shape != wanted:
        raise OutputError(f"the model gave shape {values.shape} for {wanted[0]} instances; needed {words}")
    return values


def _cut(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut off what rounding leaves beyond 0 and 1; what is further out stays, and is found to be no probability."""
    import numpy as np

    near = (values >= -_ROUNDED) & (values <= 1 + _ROUNDED)
    return np.where(near, np.clip(values, 0.0, 1.0), values)


def _outside(values: NDArray[np.float64], low: float, high: float) -> tuple[float, str] | None:
    import numpy as np

    # Also false for what is not a number; an infinite one is inside of no range.
    wrong = values[~((values >= low) & (values <= high) & np.isfinite(values))]
    return (float(wrong[0]), f"{low} to {high}") if len(wrong) else None
