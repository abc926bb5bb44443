"""The output contract of several answers, each by its name and with a contract of its own.

At module level only the standard library: the program reads it, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata_steps.tasks.output import METADATA, SEVERAL, Declared, Output, Tensor, numbers_of, shaped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST = 2


@dataclass(frozen=True)
class Answers(Output):
    """Several answers; what is read has their columns beside each other, in the order of their names.

    Attributes:
        each: Name to contract.
    """

    each: Mapping[str, Output]
    task, ranged = SEVERAL, ""

    def __post_init__(self) -> None:
        """Put them in order: wherever a mapping travels, it may come back in another one."""
        object.__setattr__(self, "each", {name: self.each[name] for name in sorted(self.each)})

    @classmethod
    def parsed(cls, document: Mapping[str, Any]) -> Answers:
        """Read it from plain JSON values."""
        if len(document["outputs"]) < FEWEST or any(one["task"] == SEVERAL for one in document["outputs"].values()):
            raise ValueError("outputs")
        return cls({str(name): Output.of({METADATA: one}) for name, one in document["outputs"].items()})

    def document(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        return {"task": self.task, "outputs": {name: one.document() for name, one in self.each.items()}}

    def measured(self, evaluation: Mapping[str, Any]) -> Answers:
        """Give it with what was found of each."""
        found = evaluation.get("outputs") or {}
        return Answers({name: one.measured(found.get(name) or {}) for name, one in self.each.items()})

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the columns of all, as each one's model gives them."""
        return (-1, sum(_given(one) for one in self.each.values()))

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of each under its name."""
        return tuple(f"{name}.{column}" for name, one in self.each.items() for column in one.columns)

    def read(self, given: object, rows: int) -> NDArray[np.float64]:
        """Read (rows, columns), and each answer's part as its own contract has it."""
        import numpy as np

        values = numbers_of(given)
        wanted = (rows, self.shape[1])
        cut = _cut(shaped(values, wanted, str(wanted)), [_given(one) for one in self.each.values()])
        parts = zip(self.each.values(), cut, strict=True)
        return np.hstack([one.read(part, rows).reshape(rows, -1) for one, part in parts])

    def parts(self, values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Give what was read by name: each as its own contract reads it."""
        cut = _cut(values, [_read(one) for one in self.each.values()])
        each = zip(self.each.items(), cut, strict=True)
        return {name: part if _read(one) > 1 else part[:, 0] for (name, one), part in each}

    def outside(self, values: NDArray[np.float64], declared: Declared) -> tuple[float, str] | None:
        """Find the first answer that is not plausible."""
        limits = declared if isinstance(declared, Mapping) else {}
        for name, part in self.parts(values).items():
            if wrong := self.each[name].outside(part, limits.get(name)):
                return wrong[0], f"{wrong[1]} of {name}"
        return None

    def predictions(self, values: NDArray[np.float64]) -> list[dict[str, Any]]:
        """Write the answers by name."""
        told = {name: self.each[name].predictions(part) for name, part in self.parts(values).items()}
        return [{name: told[name][at] for name in told} for at in range(len(values))]

    def cells(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """Write the cells of each under its name."""
        return {
            f"{name}.{column}": value
            for name, one in self.each.items()
            for column, value in one.cells(prediction[name]).items()
        }

    def schema(self) -> dict[str, Any]:
        """Describe an object for each name."""
        return {
            name: {
                "type": "object",
                "properties": (fields := one.schema()),
                "required": list(fields),
                "additionalProperties": False,
            }
            for name, one in self.each.items()
        }

    def tensors(self, values: NDArray[np.float64]) -> list[Tensor]:
        """Write the outputs of each under its name."""
        return [
            (f"{name}.{tensor}", kind, shape, data)
            for name, part in self.parts(values).items()
            for tensor, kind, shape, data in self.each[name].tensors(part)
        ]


def _given(output: Output) -> int:
    """Return how many columns a model gives of an answer."""
    return math.prod(output.shape[1:])


def _read(output: Output) -> int:
    """Return how many of them its contract keeps: of two classes one."""
    return 1 if output.task == "binary" else _given(output)


def _cut(values: NDArray[np.float64], widths: list[int]) -> list[NDArray[np.float64]]:
    ends = [sum(widths[: at + 1]) for at in range(len(widths))]
    return [values[:, end - width : end] for end, width in zip(ends, widths, strict=True)]
