"""A gate after evaluation: are the groups of each protected column treated alike, within the declared limit?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import load
from mlstrata_steps.intervals import CUT, LEVEL
from mlstrata_steps.outcome import Check, StepError, report_of
from mlstrata_steps.parity import SMALL, groups_of
from mlstrata_steps.rules import parsed
from mlstrata_steps.tables import positives, read_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

METRICS = ("demographic_parity", "equal_opportunity", "equalized_odds")
"""Which difference between groups counts: of positive labels among all rows (Dwork et al. 2012), among the rows that
really are positive (Hardt et al. 2016), or the larger of that and the one among the rows that are not."""

RESAMPLES = 1000


@dataclass(frozen=True)
class FairnessRules:
    """How far groups may differ.

    Attributes:
        metric: One of `METRICS`.
        at_most: Largest difference between two groups that passes, 0 to 1; None: measured, with no limit.
    """

    metric: str = "demographic_parity"
    at_most: float | None = None

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> FairnessRules:
        """Read rules from plain JSON values.

        Raises:
            StepError: A rule is unknown or out of range.
        """
        rules = parsed(cls, "fairness", document)
        if rules.metric not in METRICS:
            raise StepError(f"fairness.metric: got {rules.metric!r}; allowed {', '.join(METRICS)}")
        if rules.at_most is not None and not 0 <= rules.at_most <= 1:
            raise StepError(f"fairness.at_most: got {rules.at_most!r}; allowed 0 to 1")
        return rules


@dataclass(frozen=True)
class Gap:
    """The largest difference between two groups of a column.

    Attributes:
        value: On all test rows.
        low: Lower end of the 95 % bootstrap interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def check_fairness(
    test: str, model: str, columns: Mapping[str, object], rules: Mapping[str, object], *, seed: int = 0
) -> dict[str, object]:
    """Compare a model's labels between the groups of every protected column.

    The gap itself is held against the limit, not an end of its interval: a limit about people is not stretched because
    few of them were measured.

    Args:
        test: The test rows.
        model: The model that `train` wrote.
        columns: The roles of the columns (`Columns`).
        rules: The limit (`FairnessRules`).
        seed: Of the bootstrap.

    Returns:
        A gate's report (`outcome.report_of`) with `groups`: protected column to group to rows, positive_rate,
        true_positive_rate and false_positive_rate.

    Raises:
        StepError: A role or rule is malformed.
    """
    import numpy as np

    table, roles, limits = read_table(test), Columns.parse(columns), FairnessRules.parse(rules)
    pipeline = load(model)
    names = [str(name) for name in pipeline.feature_names_in_]
    labels = positives(table[roles.target], roles.positive).astype("int64")
    chosen = np.asarray(pipeline.predict_proba(feature_frame(table, names))[:, 1] >= CUT, dtype=bool)
    used = [name for name in names if name in roles.protected]
    detail = f"the model sees {', '.join(used)}; protected columns are for measuring only"
    if not used:
        detail = f"{len(roles.protected)} kept from the model"
    checks = [Check("protected columns unseen", not used, detail)]
    numbers: dict[str, float | None] = {}
    groups: dict[str, object] = {}
    for name in roles.protected:
        codes = groups_of(table[name])
        measured = _groups(codes, labels, chosen)
        groups[name] = measured
        gap = gap_of(codes, labels, chosen, limits.metric, seed=seed)
        checks.append(_judged(name, gap, measured, limits))
        if gap is not None:
            mark = f"fairness_{name}"
            numbers |= {mark: gap.value, f"{mark}_low": gap.low, f"{mark}_high": gap.high}
    gaps = [f"{name} {numbers[f'fairness_{name}']:.3f}" for name in roles.protected if f"fairness_{name}" in numbers]
    allowed = "no limit declared" if limits.at_most is None else f"at most {limits.at_most:g} allowed"
    headline = f"{limits.metric.replace('_', ' ')}: {', '.join(gaps) or 'nothing to compare'}, {allowed}"
    return report_of(checks, numbers, headline=headline, groups=groups, metric=limits.metric, cut=CUT)


def gap_of(
    groups: NDArray[np.object_],
    labels: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    metric: str,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Gap | None:
    """Measure the largest difference between groups, with its 95 % percentile bootstrap interval (Efron 1979).

    Args:
        groups: Shape (rows,), a row's group.
        labels: Shape (rows,), what happened, 0 or 1.
        chosen: Shape (rows,), whether the model says positive.
        metric: One of `METRICS`.
        seed: Of the resampling, which keeps the size of each group.
        resamples: How many times.

    Returns:
        The gap; None where fewer than two groups have `parity.SMALL` rows that the metric looks at.
    """
    import numpy as np

    random, tail = np.random.default_rng(seed), (1 - LEVEL) / 2
    found: list[Gap] = []
    for looked in _looked_at(labels, metric):
        rates, drawn = [], []
        for name in sorted(set(groups)):
            mine = chosen[(groups == name) & looked]
            if len(mine) < SMALL:
                continue
            rates.append(float(mine.mean()))
            # Rows drawn with replacement: the number of positives among them is binomial.
            drawn.append(random.binomial(len(mine), mine.mean(), size=resamples) / len(mine))
        if len(rates) > 1:
            value, spread = max(rates) - min(rates), np.ptp(np.array(drawn), axis=0)
            low, high = (float(end) for end in np.quantile(spread, (tail, 1 - tail)))
            found.append(Gap(value, min(low, value), max(high, value)))
    return max(found, key=lambda gap: gap.value, default=None)


def _looked_at(labels: NDArray[np.int64], metric: str) -> list[NDArray[np.bool_]]:
    if metric == "demographic_parity":
        return [labels >= 0]
    return [labels == 1] if metric == "equal_opportunity" else [labels == 1, labels == 0]


def _judged(
    name: str, gap: Gap | None, groups: Mapping[str, Mapping[str, float | int | None]], limits: FairnessRules
) -> Check:
    words = limits.metric.replace("_", " ")
    shown = ", ".join(
        f"{group} {_rate(rates['positive_rate'])} of {rates['rows']}"
        + ("" if limits.metric == "demographic_parity" else _odds(rates, limits.metric))
        for group, rates in groups.items()
    )
    if gap is None:
        detail = f"{words} is not measured: fewer than two groups have {SMALL} rows that count; positive are {shown}"
        return Check(name, False, detail, warns=True)
    measured = f"{words} differs by {gap.value:.3f} ({gap.low:.3f} to {gap.high:.3f})"
    limit = "no limit declared" if limits.at_most is None else f"at most {limits.at_most:g} allowed"
    passed = limits.at_most is None or gap.value <= limits.at_most
    help_ = "" if passed else "; model.settings.mitigation {method: reweigh} can narrow it in training"
    return Check(name, passed, f"{measured}, {limit}; positive are {shown}{help_}")


def _groups(
    codes: NDArray[np.object_], labels: NDArray[np.int64], chosen: NDArray[np.bool_]
) -> dict[str, dict[str, float | int | None]]:
    def share(rows: NDArray[np.bool_]) -> float | None:
        return float(chosen[rows].mean()) if rows.any() else None

    return {
        str(name): {
            "rows": int((codes == name).sum()),
            "positive_rate": share(codes == name),
            "true_positive_rate": share((codes == name) & (labels == 1)),
            "false_positive_rate": share((codes == name) & (labels == 0)),
        }
        for name in sorted(set(codes))
    }


def _odds(rates: Mapping[str, float | int | None], metric: str) -> str:
    shown = f" (of the truly positive {_rate(rates['true_positive_rate'])}"
    return shown + (")" if metric == "equal_opportunity" else f", of the others {_rate(rates['false_positive_rate'])})")


def _rate(value: float | int | None) -> str:
    return "none" if value is None else f"{value:.1%}"
