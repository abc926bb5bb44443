"""The exact explanation of a model whose columns each add to its answer, as those of a linear model do.

Whatever the pipeline in front of it is: what a column adds is asked of the model once, when it is loaded: of a number
at three values (it must be a line), of a text at each that training knew. Then rows of mixed values must be the sums of
what their columns add; where they are not, the model is no such one. What a column adds to a row, less what it adds on
average over training, is its Shapley value exactly (Lundberg and Lee 2017, corollary 1).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlstrata.services.serving.margins import explained_class, given, margins, unit_of
from mlstrata.services.serving.model import ServedModel
from mlstrata.services.serving.prediction import Explanation
from mlstrata.services.serving.schema import Column
from mlstrata_steps.profile import BOOLEAN, CATEGORY, NUMBER, Profile, text_of
from mlstrata_steps.reference import Reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

METHOD = "exact"
_TRIED, _TOLERANCE = 40, 1e-4
"""Rows of mixed values, and what may be between them and their sums: an ONNX form computes with seven digits."""
_UNKNOWN = "a text that no training row has"
Ask = Callable[[Sequence[Mapping[str, Any]]], "NDArray[np.float64]"]


@dataclass
class _Adds:
    """What one column adds, beyond what it adds at its first value; each of shape (outputs,)."""

    column: Profile
    at: dict[str | None, NDArray[np.float64]] = field(default_factory=dict)
    slope: NDArray[np.float64] | None = None
    low: float = 0.0

    def of(self, cell: Any) -> NDArray[np.float64]:
        """Return what a value adds."""
        text = text_of(cell)
        if text is None or self.slope is None:
            return self.at[text] if text in self.at else self.at[_UNKNOWN]
        added: NDArray[np.float64] = self.slope * (float(cell) - self.low)
        return added

    def mean(self) -> NDArray[np.float64]:
        """Return what it adds on average over the training rows."""
        counts, rows = self.column.counts, max(1, self.column.rows)
        if self.slope is not None:
            known: NDArray[np.float64] = self.slope * (sum(self.column.sample) / len(self.column.sample) - self.low)
            missing = counts[-1] / rows
            return known if not missing else (1 - missing) * known + missing * self.at[None]
        parts = [count / rows * self.of(text) for text, count in zip(self.column.values, counts, strict=False) if count]
        if other := counts[self.column.bins]:
            parts.append(other / rows * self.of(_UNKNOWN))
        if missing := counts[-1]:
            parts.append(missing / rows * self.of(None))
        mean: NDArray[np.float64] = sum(parts[1:], start=parts[0])
        return mean


class Additive:
    """Explains a model whose columns add up."""

    def __init__(self, model: ServedModel, start: NDArray[np.float64], adds: Mapping[str, _Adds]) -> None:
        self._output, self._adds = model.output, adds
        self._means = {name: one.mean() for name, one in adds.items()}
        self._base = sum(self._means.values(), start=start)

    def explain(self, rows: Sequence[Mapping[str, Any]], until: float) -> list[Explanation | None]:  # noqa: ARG002 - every explainer takes it
        """Explain rows; it asks the model nothing, so it takes no time to speak of."""
        return [self._explained(row) for row in rows]

    def _explained(self, row: Mapping[str, Any]) -> Explanation:
        parts = {name: one.of(row.get(name)) - self._means[name] for name, one in self._adds.items()}
        place, label = explained_class(self._output, sum(parts.values(), start=self._base))
        contributions = {name: float(part[place]) for name, part in parts.items()}
        return Explanation(float(self._base[place]), contributions, unit_of(self._output), METHOD, label)


def additive_of(model: ServedModel, reference: Reference) -> Additive | None:
    """Find what each column adds; None where columns do not add up, or hold what cannot be asked about."""
    import numpy as np

    def ask(rows: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        return margins(model.output, given(model, rows))

    columns = {one.name: one for one in reference.inputs}
    if any(one.name not in columns for one in model.schema.columns):
        return None
    tried = {one.name: _tried(one, columns[one.name]) for one in model.schema.columns}
    if not all(tried.values()):
        return None
    first = {name: values[0] for name, values in tried.items()}
    probes = [(name, cell) for name, values in tried.items() for cell in values]
    said = ask([first, *(first | {name: cell} for name, cell in probes)])
    if not np.isfinite(said).all():
        return None
    adds: dict[str, _Adds] = {name: _Adds(columns[name]) for name in tried}
    for (name, cell), one in zip(probes, said[1:] - said[0], strict=True):
        adds[name].at[text_of(cell)] = one
    if not all(_is_line(adds[name], values) for name, values in tried.items() if columns[name].kind == NUMBER):
        return None
    found = Additive(model, said[0], adds)
    return found if _adds_up(ask, said[0], adds, tried) else None


def _tried(column: Column, profile: Profile) -> list[Any]:
    """Return the values that a column is asked at; none where it holds what cannot be asked about."""
    missing = [] if column.required else [None]
    if profile.kind == NUMBER and profile.sample:
        low, middle, high = profile.sample[0], profile.sample[len(profile.sample) // 2], profile.sample[-1]
        whole = column.type in {"integer", "long"}
        return [*(int(one) if whole else one for one in sorted({low, middle, high})), *missing]
    if profile.kind == BOOLEAN:
        return [False, True, *missing]
    if profile.kind == CATEGORY:
        return [*profile.values, _UNKNOWN, *missing]
    return []


def _is_line(adds: _Adds, values: Sequence[Any]) -> bool:
    import numpy as np

    numbers = [float(one) for one in values if one is not None]
    said = [adds.at[text_of(one)] for one in values if one is not None]
    adds.low = numbers[0]
    width = numbers[-1] - numbers[0]
    adds.slope = (said[-1] - said[0]) / width if width else said[0] * 0.0
    return all(
        np.allclose(adds.slope * (number - adds.low), one, rtol=_TOLERANCE, atol=_TOLERANCE)
        for number, one in zip(numbers, said, strict=True)
    )


def _adds_up(ask: Ask, start: NDArray[np.float64], adds: Mapping[str, _Adds], tried: Mapping[str, list[Any]]) -> bool:
    """Ask for rows of mixed values: a model in which columns act together is found out."""
    import numpy as np

    chance = random.Random(0)  # noqa: S311 - the same rows for the same model, and no secret
    mixed = [{name: chance.choice(values) for name, values in tried.items()} for _ in range(_TRIED)]
    wanted = np.array([sum((adds[name].of(cell) for name, cell in row.items()), start=start) for row in mixed])
    return bool(np.allclose(ask(mixed), wanted, rtol=_TOLERANCE, atol=_TOLERANCE))
