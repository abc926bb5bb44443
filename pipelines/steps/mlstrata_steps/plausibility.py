"""A gate after training: does the model behave as the thing it models does?

Its answers are possible ones and not all the same; they rise where they should rise; they do not depend on what is no
input; and they do not jump when an input moves by next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import load
from mlstrata_steps.outcome import Check, StepError, report_of
from mlstrata_steps.rules import parsed
from mlstrata_steps.several import alone, part_of, rules_of, together
from mlstrata_steps.tables import read_table
from mlstrata_steps.tasks import Task, task_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

DIRECTIONS = ("up", "down")
GRID = 9
"""Values of a feature tried, evenly spread over its own 5 % to 95 % quantiles: rarer values are noise."""


@dataclass(frozen=True)
class PlausibilityRules:
    """How a model must behave; differences are of probabilities, or of a number's standard deviations.

    Attributes:
        monotonic: Feature to `up` or `down`: where the answer goes when it rises and all else stays.
        tolerance: How far the mean answer may go the other way on the way, as that of a tree does in small steps.
        nudge: Size of a small change of a number, as a share of its standard deviation.
        max_shift: Largest mean change of an answer under such a change of all numbers at once.
        max_rows: Test rows looked at.
    """

    monotonic: Mapping[str, str] = field(default_factory=dict)
    tolerance: float = 0.02
    nudge: float = 0.01
    max_shift: float = 0.02
    max_rows: int = 500

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> PlausibilityRules:
        """Read rules from plain JSON values.

        Raises:
            StepError: A rule is unknown, or a direction is.
        """
        rules = parsed(cls, "plausibility", document)
        for name, direction in rules.monotonic.items():
            if direction not in DIRECTIONS:
                raise StepError(f"plausibility.monotonic.{name}: got {direction!r}; allowed {', '.join(DIRECTIONS)}")
        return rules


def check_plausibility(
    test: str,
    model: str,
    columns: Mapping[str, object],
    rules: Mapping[str, object],
    *,
    answers: Mapping[str, object],
    seed: int = 0,
) -> dict[str, object]:
    """Try a model on the test rows and on changed ones.

    Args:
        test: The test rows.
        model: The model that `train` wrote.
        columns: The roles of the columns (`Columns`).
        rules: What to expect (`PlausibilityRules`).
        answers: What training saw (`train.Trained`).
        seed: Of the changes.

    Returns:
        A gate's report (`outcome.report_of`) with `curves`: feature with a direction to the `values` tried and
        what the model says at each on average (`said`).

    Raises:
        StepError: A role or rule is malformed, or a direction is declared for what is no numeric input.
    """
    import numpy as np

    if each := alone(columns):
        return together(
            {
                name: check_plausibility(
                    test, model, one, rules_of(rules, name), answers=part_of(answers, name), seed=seed
                )
                for name, one in each.items()
            }
        )
    table, roles, limits = read_table(test), Columns.parse(columns), PlausibilityRules.parse(rules)
    pipeline, task = load(model, roles.output), task_of(roles, table)
    names = [str(name) for name in pipeline.feature_names_in_]
    said, scale = task.ask(pipeline, feature_frame(table, names)), task.scale(answers)
    asked = _Asked(pipeline, task, scale)
    if limits.monotonic and said.ndim > 1:
        raise StepError("plausibility.monotonic: of several classes none goes up alone; allowed of two, or of a number")
    random = np.random.default_rng(seed)
    chosen = table.iloc[random.permutation(len(table))[: limits.max_rows]].reset_index(drop=True)
    checks = [*task.plausible(said, answers), _invariant(asked, names, chosen, roles, random)]
    steady, shift = _steady(asked, feature_frame(chosen, names), limits, random)
    checks.append(steady)
    numbers: dict[str, float | None] = {
        "plausibility_spread": float(said.std(axis=0).max()) / scale,
        "plausibility_shift": shift,
    }
    curves: dict[str, object] = {}
    for name, direction in limits.monotonic.items():
        check, values, means, against = _monotonic(asked, feature_frame(chosen, names), name, direction, limits)
        checks.append(check)
        numbers[f"plausibility_against_{name}"] = against
        curves[name] = {"values": values, "said": means}
    directed = ", ".join(f"{name} {direction}" for name, direction in limits.monotonic.items())
    headline = f"{task.answer} {said.min():.4g} to {said.max():.4g}, steady, {directed or 'undirected'}"
    return report_of(checks, numbers, headline=headline, curves=curves)


@dataclass(frozen=True)
class _Asked:
    """A model, what is asked of it, and the unit in which its answers differ."""

    pipeline: Pipeline
    task: Task
    scale: float

    def say(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return what it says, in that unit: shape (rows,) or (rows, classes)."""
        return self.task.ask(self.pipeline, features) / self.scale


def _monotonic(
    asked: _Asked, features: pd.DataFrame, name: str, direction: str, limits: PlausibilityRules
) -> tuple[Check, list[float], list[float], float]:
    """Follow the mean answer while one feature rises (partial dependence, Friedman 2001)."""
    import numpy as np

    if name not in features.columns or features[name].dtype.kind not in "if":
        numeric = ", ".join(str(one) for one in features.columns if features[one].dtype.kind in "if")
        raise StepError(f"plausibility.monotonic: {name!r} is no numeric input of the model; those are {numeric}")
    known = features[name].dropna().to_numpy(dtype="float64")
    values = np.unique(np.quantile(known, np.linspace(0.05, 0.95, GRID)))
    means = np.array([asked.say(features.assign(**{name: value})).mean() for value in values])
    along = means if direction == "up" else -means
    against = float((np.maximum.accumulate(along) - along).max())
    verb = "rises" if direction == "up" else "falls"
    told = means * asked.scale
    shown = f"{told[0]:.4g} at {values[0]:.3g}, {told[-1]:.4g} at {values[-1]:.3g}"
    detail = f"{shown}; it goes the other way by {against:.3f}, at most {limits.tolerance:g} allowed"
    check = Check(f"{asked.task.answer} {verb} with {name}", against <= limits.tolerance, detail)
    return check, values.tolist(), told.tolist(), against


def _invariant(
    asked: _Asked, names: list[str], table: pd.DataFrame, roles: Columns, random: np.random.Generator
) -> Check:
    """Shuffle every column that the model must not see: no answer may move."""
    import numpy as np

    hidden = [name for name in table.columns if name not in roles.seen(list(table.columns))]
    shuffled = table.assign(**{name: table[name].to_numpy()[random.permutation(len(table))] for name in hidden})
    before = asked.say(feature_frame(table, names))
    after = asked.say(feature_frame(shuffled.astype(table.dtypes.to_dict()), names))
    moved = int((np.abs(before - after).reshape(len(table), -1) > 0).any(axis=1).sum())
    detail = f"{moved} of {len(table)} answers move when {', '.join(hidden)} change; none may"
    return Check("hidden columns do not matter", moved == 0, detail)


def _steady(
    asked: _Asked, features: pd.DataFrame, limits: PlausibilityRules, random: np.random.Generator
) -> tuple[Check, float]:
    """Nudge all numbers that are no whole ones."""
    import numpy as np

    numbers = [name for name in features.columns if features[name].dtype.kind == "f"]
    nudged = {
        name: features[name] + random.normal(size=len(features)) * limits.nudge * float(features[name].std() or 0.0)
        for name in numbers
    }
    shift = float(np.abs(asked.say(features.assign(**nudged)) - asked.say(features)).mean())
    moved = f"nudging numbers by {limits.nudge:.0%} of their spread moves them by {shift:.4f} on average"
    detail = f"{moved}, at most {limits.max_shift:g} allowed"
    return Check("answers steady", shift <= limits.max_shift, detail), shift
