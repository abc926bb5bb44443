"""Whom the loop's traffic is about: a system's own test rows, and the same people after the world has changed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlstrata.environments.spec.tasks import Task
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.environments import SystemSpec
    from mlstrata.services.runner.contract import TrainingRequest

CHANGED = 0.85
"""Quantile of the drifted column above which the outcome is another one: the upper sixth, so much can be learnt of it
and most of what was learnt still holds."""
_SPREAD = 0.02
"""How far the numbers of two requests about one row lie apart, as a share: no two people are the same, and the quality
gate of a training refuses data that repeat themselves."""
_FEW = 10
"""Whole numbers of so few values are codes, which do not drift by a fraction."""


@dataclass(frozen=True)
class Case:
    """One row of a request, and what only becomes known later.

    Attributes:
        inputs: What a consumer sends.
        truth: What really was, as the target's column writes it.
        groups: Protected attribute to the person's value.
    """

    inputs: Mapping[str, Any]
    truth: str
    groups: Mapping[str, str]


@dataclass(frozen=True)
class World:
    """The test rows of a system, and how they change.

    Attributes:
        rows: As the declared data has them.
        drifting: Columns whose numbers rise.
        leading: The one of them that decides who has another outcome; empty: nobody has.
        bounds: Column to its lowest and highest plausible value.
        positive: The outcome that grows more frequent; empty: the task has none.
        negative: The other outcome; empty: there is not just one.
    """

    rows: Sequence[Case]
    drifting: tuple[str, ...]
    leading: str
    bounds: Mapping[str, tuple[float, float]]
    positive: str
    negative: str = ""

    def people(self, rows: Sequence[Case], seed: int = 0) -> Iterator[Case]:
        """Yield cases without an end, each a little different from the row that it is about."""
        chance = random.Random(seed)  # noqa: S311 - traffic, no secret
        for row in itertools.cycle(rows):
            moved = self._moved(row.inputs, chance.uniform(-_SPREAD, _SPREAD))
            yield replace(row, inputs={**row.inputs, **moved})

    def opposite(self, answer: Mapping[str, Any], threshold: float) -> str:
        """Return the outcome that an answer did not say."""
        return self.negative if float(answer["probability"]) >= threshold else self.positive

    def drifted(self, shift: float) -> tuple[Case, ...]:
        """Return the rows after the world has changed.

        Args:
            shift: The share by which numbers rise: 0.3 makes 1.0 to 1.3.
        """
        moved = [{**row.inputs, **self._moved(row.inputs, shift)} for row in self.rows]
        known = sorted(one[self.leading] for one in moved if self.leading and one[self.leading] is not None)
        limit = known[int(CHANGED * (len(known) - 1))] if known and self.positive else None
        return tuple(
            Case(inputs, self._outcome(row, inputs, limit), row.groups)
            for row, inputs in zip(self.rows, moved, strict=True)
        )

    def _outcome(self, row: Case, inputs: Mapping[str, Any], limit: float | None) -> str:
        value = inputs.get(self.leading) if limit is not None else None
        return self.positive if value is not None and limit is not None and value > limit else row.truth

    def _moved(self, inputs: Mapping[str, Any], shift: float) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in self.drifting:
            value = inputs[name]
            if value is None:
                continue
            raised = value * (1 + shift)
            low, high = self.bounds.get(name, (float("-inf"), float("inf")))
            raised = min(max(raised, low), high)
            found[name] = round(raised) if isinstance(value, int) else round(raised, 6)
        return found


def world_of(system: SystemSpec, request: TrainingRequest, *, seed: int = 0) -> World:
    """Read the rows that a system's model is tested on and never trained on.

    Args:
        system: The system.
        request: What trains it.
        seed: Of the order in which the rows come.

    Raises:
        UsageError: its data have no column of numbers that could drift.
        StepError: its data cannot be read.
    """
    from mlstrata_steps.cells import Format
    from mlstrata_steps.columns import Columns
    from mlstrata_steps.source import at_hand, read_source
    from mlstrata_steps.split import held_out
    from mlstrata_steps.tables import canonical, kind_of
    from mlstrata_steps.tasks import task_of

    form = Format.parse(request.format)
    read = read_source(at_hand(request.source, request.endpoint)[0], form, request.exclude)
    table = canonical(read.dropna(how="all"))
    roles = Columns.parse(request.columns())
    task = task_of(roles, table)
    strata = task.strata(task.labels(table[roles.target]))
    settings = request.settings
    tested = table[held_out(table, strata, seed=settings.seed, test_fraction=settings.test_fraction)]
    features = roles.seen(list(table.columns))
    rows = [
        Case(
            {name: _json(row[name]) for name in features},
            _text(row[roles.target]),
            {name: _text(row[name]) for name in roles.protected if _json(row[name]) is not None},
        )
        for row in tested.to_dict("records")
        if _json(row[roles.target]) is not None
    ]
    random.Random(seed).shuffle(rows)  # noqa: S311 - an order, no secret
    kinds = {name: kind_of(table[name]) for name in features}
    drifting = tuple(
        name
        for name in features
        if kinds[name] == "number" or (kinds[name] == "integer" and table[name].nunique() > _FEW)
    )
    if not drifting or not rows:
        raise UsageError(f"{system.name}: its data have no column of numbers that could drift")
    ups = [name for name, way in (settings.plausibility.get("monotonic") or {}).items() if way == "up"]
    leading = next((name for name in ups if name in drifting), drifting[0])
    is_binary = system.model.task is Task.CLASSIFICATION and bool(request.positive)
    others = sorted({row.truth for row in rows} - {request.positive})
    positive, negative = (request.positive, others[0]) if is_binary and len(others) == 1 else ("", "")
    return World(rows, drifting, leading, dict(system.monitor.range), positive, negative)


def _json(cell: Any) -> Any:
    """Return a cell as JSON has it."""
    if cell is None or type(cell).__name__ in {"NAType", "NaTType"} or (isinstance(cell, float) and cell != cell):  # noqa: PLR0124 - NaN alone differs from itself
        return None
    if hasattr(cell, "isoformat"):
        return cell.isoformat()
    return cell.item() if hasattr(cell, "item") else cell


def _text(cell: Any) -> str:
    found = _json(cell)
    return str(found).lower() if isinstance(found, bool) else str(found)
