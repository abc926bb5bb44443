"""A gate after training: does the model behave as the thing it models does?

Its answers are probabilities and not all the same; they rise where they should rise; they do not depend on what is no
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
from mlstrata_steps.tables import read_table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

LEAST_SPREAD = 0.01
"""Standard deviation of the probabilities below which a model says nearly the same of everyone."""

DIRECTIONS = ("up", "down")
GRID = 9
"""Values of a feature tried, evenly spread over its own 5 % to 95 % quantiles: rarer values are noise."""


@dataclass(frozen=True)
class PlausibilityRules:
    """How a model must behave; differences are of probabilities.

    Attributes:
        monotonic: Feature to `up` or `down`: where the probability goes when it rises and all else stays.
        tolerance: How far the mean probability may go the other way on the way, as that of a tree does in small steps.
        nudge: Size of a small change of a number, as a share of its standard deviation.
        max_shift: Largest mean change of a probability under such a change of all numbers at once.
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
    test: str, model: str, columns: Mapping[str, object], rules: Mapping[str, object], *, seed: int = 0
) -> dict[str, object]:
    """Try a model on the test rows and on changed ones.

    Args:
        test: The test rows.
        model: The model that `train` wrote.
        columns: The roles of the columns (`Columns`).
        rules: What to expect (`PlausibilityRules`).
        seed: Of the changes.

    Returns:
        A gate's report (`outcome.report_of`) with `curves`: feature with a direction to the values tried and the mean
        probability at each.

    Raises:
        StepError: A role or rule is malformed, or a direction is declared for what is no numeric input.
    """
    import numpy as np

    table, roles, limits = read_table(test), Columns.parse(columns), PlausibilityRules.parse(rules)
    pipeline = load(model)
    names = [str(name) for name in pipeline.feature_names_in_]
    probabilities = _said(pipeline, feature_frame(table, names))
    random = np.random.default_rng(seed)
    chosen = table.iloc[random.permutation(len(table))[: limits.max_rows]].reset_index(drop=True)
    checks = [*plausible(probabilities), _invariant(pipeline, names, chosen, roles, random)]
    steady, shift = _steady(pipeline, feature_frame(chosen, names), limits, random)
    checks.append(steady)
    numbers: dict[str, float | None] = {"plausibility_spread": float(probabilities.std()), "plausibility_shift": shift}
    curves: dict[str, object] = {}
    for name, direction in limits.monotonic.items():
        check, values, means, against = _monotonic(pipeline, feature_frame(chosen, names), name, direction, limits)
        checks.append(check)
        numbers[f"plausibility_against_{name}"] = against
        curves[name] = {"values": values, "probabilities": means}
    directed = ", ".join(f"{name} {direction}" for name, direction in limits.monotonic.items())
    headline = (
        f"probabilities {probabilities.min():.3f} to {probabilities.max():.3f}, steady, {directed or 'undirected'}"
    )
    return report_of(checks, numbers, headline=headline, curves=curves)


def plausible(probabilities: NDArray[np.float64]) -> list[Check]:
    """Check that numbers are probabilities, and not the same one for everyone.

    Args:
        probabilities: Shape (rows,).
    """
    import numpy as np

    low, high, spread = float(probabilities.min()), float(probabilities.max()), float(probabilities.std())
    inside = bool(np.isfinite(probabilities).all() and low >= 0 and high <= 1)
    return [
        Check("probabilities in range", inside, f"{low:.3f} to {high:.3f}, allowed 0 to 1"),
        Check("probabilities spread", spread >= LEAST_SPREAD, f"spread {spread:.3f}, at least {LEAST_SPREAD} expected"),
    ]


def _monotonic(
    pipeline: Pipeline, features: pd.DataFrame, name: str, direction: str, limits: PlausibilityRules
) -> tuple[Check, list[float], list[float], float]:
    """Follow the mean probability while one feature rises (partial dependence, Friedman 2001)."""
    import numpy as np

    if name not in features.columns or features[name].dtype.kind not in "if":
        numeric = ", ".join(str(one) for one in features.columns if features[one].dtype.kind in "if")
        raise StepError(f"plausibility.monotonic: {name!r} is no numeric input of the model; those are {numeric}")
    known = features[name].dropna().to_numpy(dtype="float64")
    values = np.unique(np.quantile(known, np.linspace(0.05, 0.95, GRID)))
    means = np.array([_said(pipeline, features.assign(**{name: value})).mean() for value in values])
    along = means if direction == "up" else -means
    against = float((np.maximum.accumulate(along) - along).max())
    verb = "rises" if direction == "up" else "falls"
    shown = f"{means[0]:.3f} at {values[0]:.3g}, {means[-1]:.3f} at {values[-1]:.3g}"
    detail = f"{shown}; it goes the other way by {against:.3f}, at most {limits.tolerance:g} allowed"
    check = Check(f"probability {verb} with {name}", against <= limits.tolerance, detail)
    return check, values.tolist(), means.tolist(), against


def _invariant(
    pipeline: Pipeline, names: list[str], table: pd.DataFrame, roles: Columns, random: np.random.Generator
) -> Check:
    """Shuffle every column that the model must not see: no probability may move."""
    import numpy as np

    hidden = [name for name in table.columns if name not in roles.seen(list(table.columns))]
    shuffled = table.assign(**{name: table[name].to_numpy()[random.permutation(len(table))] for name in hidden})
    before = _said(pipeline, feature_frame(table, names))
    after = _said(pipeline, feature_frame(shuffled.astype(table.dtypes.to_dict()), names))
    moved = int((np.abs(before - after) > 0).sum())
    detail = f"{moved} of {len(table)} probabilities move when {', '.join(hidden)} change; none may"
    return Check("hidden columns do not matter", moved == 0, detail)


def _steady(
    pipeline: Pipeline, features: pd.DataFrame, limits: PlausibilityRules, random: np.random.Generator
) -> tuple[Check, float]:
    """Nudge all numbers that are no whole ones."""
    import numpy as np

    numbers = [name for name in features.columns if features[name].dtype.kind == "f"]
    nudged = {
        name: features[name] + random.normal(size=len(features)) * limits.nudge * float(features[name].std() or 0.0)
        for name in numbers
    }
    shift = float(np.abs(_said(pipeline, features.assign(**nudged)) - _said(pipeline, features)).mean())
    moved = f"nudging numbers by {limits.nudge:.0%} of their spread moves them by {shift:.4f} on average"
    detail = f"{moved}, at most {limits.max_shift:g} allowed"
    return Check("probabilities steady", shift <= limits.max_shift, detail), shift


def _said(pipeline: Pipeline, features: pd.DataFrame) -> NDArray[np.float64]:
    import numpy as np

    return np.asarray(pipeline.predict_proba(features)[:, 1], dtype="float64")
