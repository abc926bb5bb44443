"""A number: how much, how long, how many."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlstrata_steps.intervals import LEVEL, resamples_of
from mlstrata_steps.outcome import Check
from mlstrata_steps.parity import SMALL
from mlstrata_steps.tables import kind_of
from mlstrata_steps.tasks.base import REGRESSOR, Gap, Task
from mlstrata_steps.tasks.binary import spread
from mlstrata_steps.tasks.conformal import calibrated
from mlstrata_steps.tasks.metrics import Metric, named
from mlstrata_steps.tasks.output import REGRESSION, Output, Value

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from mlstrata_steps.quality import QualityRules
    from mlstrata_steps.tasks.base import Labels, Said

FAIRNESS = ("residual_difference", "prediction_difference", "error_difference")
"""Which difference between groups counts, in standard deviations of the target: of the mean residual (who is
over-estimated against whom), of the mean prediction, or of the mean absolute error (whom it knows less well)."""
STRATA = 10
"""Groups of rows by the size of their target, whose shares a split and folds keep."""
LEAST_SPREAD = 0.01
"""Spread of the predictions, as a share of the target's, below which a model says nearly the same of everyone."""
FEW = 10
"""Distinct numbers below which a target is more likely a class."""
POINTS = 200
"""Test rows that a plot shows."""


class Regression(Task):
    """A number; `labels` and `said` are in its own unit."""

    name, learns, headline, loss, chance = REGRESSION, REGRESSOR, "r2", "mae", 0.0
    answer = "value"
    fairness = FAIRNESS

    def __init__(self, quantile: float = 0.5, share: float | None = None) -> None:
        """Ask for a number; `quantile` is the one that `pinball` measures it as.

        With `share`, an interval comes with it that holds the true number in this share of cases.
        """
        self.quantile, self.share = quantile, share

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """Return what is measured, by name."""
        import numpy as np

        def r2(labels: Any, said: Any) -> float:
            around = float(((labels - labels.mean()) ** 2).sum())
            return 1 - float(((labels - said) ** 2).sum()) / around if around else 0.0

        def pinball(labels: Any, said: Any) -> float:
            off = labels - said
            return float(np.maximum(self.quantile * off, (self.quantile - 1) * off).mean())

        def mape(labels: Any, said: Any) -> float:
            return float((np.abs(labels - said) / np.abs(labels)).mean()) if (labels != 0).all() else float("nan")

        return named(
            {
                "r2": r2,
                "mae": lambda labels, said: float(np.abs(labels - said).mean()),
                "rmse": lambda labels, said: float(np.sqrt(((labels - said) ** 2).mean())),
                "median_absolute_error": lambda labels, said: float(np.median(np.abs(labels - said))),
                "pinball": pinball,
                "mape": mape,
            }
        )

    def target(self, column: pd.Series[object], limits: QualityRules) -> list[Check]:  # noqa: ARG002 - of the contract
        """Check that it is a number of many values, finite and known in every row."""
        import numpy as np

        kind, gone, distinct = kind_of(column), int(column.isna().sum()), int(column.nunique())
        problems = []
        if gone:
            problems.append(f"it is missing in {gone} row{'s' if gone > 1 else ''}; fill it, or remove them")
        if kind not in {"integer", "number"}:
            problems.append(f"needed numbers, got {kind}; for classes write task: classification")
        elif not np.isfinite(column.dropna().to_numpy(dtype="float64")).all():
            problems.append("it holds an infinite value")
        elif distinct < FEW:
            problems.append(f"needed {FEW} different numbers, got {distinct}; for classes write task: classification")
        detail = f"{column.name} holds {distinct} values" + "".join(f"; {one}" for one in problems)
        return [Check("target", not problems, detail)]

    def labels(self, column: pd.Series[object]) -> Labels:
        """Read the numbers."""
        import numpy as np

        return column.to_numpy(dtype="float64", na_value=np.nan)

    def strata(self, labels: Labels) -> NDArray[np.int64]:
        """Number tenths of the rows by the size of their number; equal numbers are together."""
        import numpy as np

        inner = np.linspace(0, 1, STRATA + 1)[1:-1]
        return np.searchsorted(np.unique(np.quantile(labels, inner)), labels, side="right").astype("int64")

    def resampled(self, labels: Labels) -> NDArray[np.int64]:
        """Keep nothing: every resample has all that the metrics need."""
        import numpy as np

        return np.zeros(len(labels), dtype="int64")

    def ask(self, model: Any, features: pd.DataFrame) -> Said:
        """Ask for numbers: shape (rows,)."""
        import numpy as np

        return np.asarray(model.predict(features), dtype="float64").reshape(-1)

    def given(self, output: Output, answer: Any) -> Said:
        """Read numbers."""
        if output.task != REGRESSION:
            raise ValueError(f"it answers {output.task}")
        return output.read(answer, len(answer))

    def predicted(self, prediction: Mapping[str, Any]) -> list[float]:
        """Read the value."""
        value = prediction.get("value")
        return [float(value) if isinstance(value, int | float) else float("nan")]

    def answers(self, labels: Labels) -> dict[str, Any]:
        """Give mean, median, the declared quantile, range and spread, in the target's unit."""
        import numpy as np

        middle, quantile = (float(one) for one in np.quantile(labels, (0.5, self.quantile)))
        ends = {"low": float(labels.min()), "high": float(labels.max()), "spread": float(labels.std())}
        return {"mean": float(labels.mean()), "median": middle, "quantile": quantile, **ends}

    def constant(self, answers: Mapping[str, Any], rows: int, metric: str) -> Said:
        """Say the mean of everyone, the median where absolute errors count, or the quantile of `pinball`."""
        import numpy as np

        best = {"mae": "median", "median_absolute_error": "median", "mape": "median", "pinball": "quantile"}
        return np.full(rows, float(answers[best.get(metric, "mean")]))

    def in_words(self, answers: Mapping[str, Any]) -> str:
        """Say what is said of everyone."""
        return f"the mean {answers['mean']:.4g} (or the median {answers['median']:.4g})"

    def output(self, answers: Mapping[str, Any]) -> Value:
        """Give a number; plausible ones lie no further outside of what training saw than half of its range."""
        low, high = float(answers["low"]), float(answers["high"])
        wider = (high - low) / 2
        # What never was below zero, such as a price, has no reason to be.
        return Value((max(0.0, low - wider) if low >= 0 else low - wider, high + wider))

    def shown(self, labels: Labels, said: Said) -> dict[str, Any]:
        """Give the range of the predictions, some rows (happened, said), and quantiles of the residuals."""
        import numpy as np

        places = np.unique(np.linspace(0, len(labels) - 1, POINTS).round().astype(int))
        ordered = np.argsort(labels, kind="stable")[places]
        quantiles = np.quantile(said - labels, (0.05, 0.25, 0.5, 0.75, 0.95))
        return {
            "values": spread(said),
            "against": [[float(f"{labels[at]:.6g}"), float(f"{said[at]:.6g}")] for at in ordered],
            "residuals": [float(f"{one:.6g}") for one in quantiles],
        }

    def interval(self, labels: Labels, said: Said, first: NDArray[np.bool_]) -> tuple[dict[str, float], list[Check]]:
        """Find an interval where one is asked for (`conformal.calibrated`)."""
        return ({}, []) if self.share is None else calibrated(labels, said, first, self.share)

    def groups(self, codes: NDArray[np.object_], labels: Labels, said: Said) -> dict[str, dict[str, Any]]:
        """Give each group's mean answer, prediction, residual (said minus happened) and absolute error."""
        found = {}
        for name in sorted(set(codes)):
            mine = codes == name
            off = said[mine] - labels[mine]
            found[str(name)] = {
                "rows": int(mine.sum()),
                "mean_answer": float(labels[mine].mean()),
                "mean_prediction": float(said[mine].mean()),
                "mean_residual": float(off.mean()),
                "mean_error": float(abs(off).mean()),
            }
        return found

    def gap(
        self, codes: NDArray[np.object_], labels: Labels, said: Said, metric: str, *, seed: int = 0, resamples: int = 0
    ) -> Gap | None:
        """Measure the largest difference between groups, in standard deviations of the target."""
        import numpy as np

        measured = {"residual_difference": said - labels, "prediction_difference": said}
        values = measured.get(metric, np.abs(said - labels)) / (float(labels.std()) or 1.0)
        random, tail = np.random.default_rng(seed), (1 - LEVEL) / 2
        times = resamples or resamples_of(len(values))
        means, drawn = [], []
        for name in sorted(set(codes)):
            mine = values[codes == name]
            if len(mine) < SMALL:
                continue
            means.append(float(mine.mean()))
            drawn.append([random.choice(mine, len(mine)).mean() for _ in range(times)])
        if len(means) <= 1:
            return None
        value, spread_of = max(means) - min(means), np.ptp(np.array(drawn), axis=0)
        low, high = (float(end) for end in np.quantile(spread_of, (tail, 1 - tail)))
        return Gap(value, min(low, value), max(high, value), "standard deviations of the target")

    def group_in_words(self, figures: Mapping[str, Any], metric: str) -> str:
        """Say how a group fares by a metric."""
        told = {"residual_difference": "mean_residual", "prediction_difference": "mean_prediction"}
        name = told.get(metric, "mean_error")
        return f"{name.replace('_', ' ')} {figures[name]:.4g} in {figures['rows']}"

    def unmeasurable(self, said: Said) -> str:
        """Say that everybody gets the same number."""
        return f"everybody is said to be {said[0]:.4g}" if said.max() == said.min() else ""

    def plausible(self, said: Said, answers: Mapping[str, Any]) -> list[Check]:
        """Check that numbers are finite, near to what training saw, and not the same for everyone."""
        import numpy as np

        low, high = self.output(answers).range or (-np.inf, np.inf)
        fine = bool(np.isfinite(said).all() and (said >= low).all() and (said <= high).all())
        outside = int((~((said >= low) & (said <= high))).sum())
        seen = f"training saw {answers['low']:.4g} to {answers['high']:.4g}"
        detail = f"{said.min():.4g} to {said.max():.4g}, {outside} outside {low:.4g} to {high:.4g}; {seen}"
        share = float(said.std()) / self.scale(answers)
        spreads = f"spread {share:.1%} of the target's, at least {LEAST_SPREAD:.0%} expected"
        return [Check("values in range", fine, detail), Check("values spread", share >= LEAST_SPREAD, spreads)]

    def scale(self, answers: Mapping[str, Any]) -> float:
        """Return the standard deviation of what training saw."""
        return float(answers["spread"]) or 1.0

    def encoded(self, labels: Labels) -> NDArray[np.float64]:
        """Write the numbers: means are means."""
        return labels.astype("float64")[:, None]

    def association(self, labels: Labels, values: NDArray[np.float64]) -> float:
        """Squared correlation of ranks (Spearman 1904): 1 for whatever is in the same order."""
        import numpy as np
        from scipy.stats import rankdata

        ranks, others = rankdata(labels), rankdata(values)
        if not ranks.std() or not others.std():
            return 0.0
        return float(np.corrcoef(ranks, others)[0, 1] ** 2)

    def copies(self, column: pd.Series[object], labels: Labels) -> bool:
        """Say whether it holds the very numbers."""
        import numpy as np

        if kind_of(column) not in {"integer", "number"}:
            return False
        return bool(np.allclose(column.to_numpy(dtype="float64", na_value=np.nan), labels))

    def tree(self, seed: int) -> Any:
        """Make a tree of as many leaves as a smooth curve needs to be seen."""
        from sklearn.tree import DecisionTreeRegressor

        return DecisionTreeRegressor(max_depth=8, min_samples_leaf=10, random_state=seed)
