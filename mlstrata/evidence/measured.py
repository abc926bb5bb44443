"""What a training run reported, in the forms that documents and plots need; a report of another form gives nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlstrata.evidence.facts import ModelVersion
from mlstrata.evidence.language import number, say, span
from mlstrata.policies.core.values import Value

_BOUNDS = ("_low", "_high")
_FAIRNESS, _PARITY, _BASELINE = "fairness_", "parity_gap_", "baseline_"
_Z = 1.959963984540054
_ROUNDING = 1e-9
RATES = {
    "accuracy": "Right labels (accuracy)",
    "positive_rate": "Positive labels (selection rate)",
    "true_positive_rate": "Positive labels among the truly positive (true positive rate)",
    "false_positive_rate": "Positive labels among the truly negative (false positive rate)",
}
"""Rates by group. The report has the second, the third and how many are truly positive; the others follow."""


@dataclass(frozen=True)
class Measure:
    """A figure with its interval and what a model that knows nothing reaches, where they were measured."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    baseline: float | None = None


@dataclass(frozen=True)
class GroupRate:
    """How often something holds in a group.

    Attributes:
        attribute: The protected attribute.
        group: Its value.
        rate: Which rate, a key of `RATES`.
        rows: How many test rows it was counted over.
        value: The rate, 0 to 1.
        low: Lower end of its 95 % Wilson interval.
        high: Upper end.
    """

    attribute: str
    group: str
    rate: str
    rows: int
    value: float
    low: float
    high: float


ERRORS = ("mean_answer", "mean_prediction", "mean_residual", "mean_error")
"""Figures of a group in a regression: of what happened, of what was said, of their difference and of its size."""


@dataclass(frozen=True)
class GroupErrors:
    """How far a regression is off in a group.

    Attributes:
        attribute: The protected attribute.
        group: Its value.
        rows: How many test rows.
        values: Of `ERRORS`, in the target's unit.
    """

    attribute: str
    group: str
    rows: int
    values: tuple[float, ...]


def measures(version: ModelVersion) -> tuple[Measure, ...]:
    """Return what the model was measured at on rows it never saw: figures that have an interval."""
    known = version.metrics
    names = [name for name in sorted(known) if not name.startswith((_FAIRNESS, _PARITY, _BASELINE))]
    return tuple(
        Measure(
            name,
            known[name],
            known[f"{name}_low"],
            known[f"{name}_high"],
            known.get(_BASELINE + name),
        )
        for name in names
        if all(name + end in known for end in _BOUNDS)
    )


def gaps(version: ModelVersion) -> tuple[Measure, ...]:
    """Return the largest difference between two groups, by protected attribute."""
    known = version.metrics
    found = {}
    for prefix in (_PARITY, _FAIRNESS):
        for name in sorted(known):
            if name.startswith(prefix) and not name.endswith(_BOUNDS):
                bounds = (known.get(name + end) for end in _BOUNDS)
                found[name.removeprefix(prefix)] = Measure(name.removeprefix(prefix), known[name], *bounds)
    return tuple(found[name] for name in sorted(found))


def others(version: ModelVersion) -> dict[str, float]:
    """Return every other figure of the run."""
    told = {one.name for one in measures(version)}
    skipped = (_FAIRNESS, _PARITY, _BASELINE)
    return {
        name: value
        for name, value in sorted(version.metrics.items())
        if name not in told and not name.startswith(skipped) and not name.endswith(_BOUNDS)
    }


def by_group(version: ModelVersion) -> tuple[GroupRate, ...]:
    """Return the rates of each group of each protected attribute, from the evaluation's report."""
    found: list[GroupRate] = []
    for attribute, report in _pairs(_at(version, "evaluation", "parity")):
        for group, rates in _pairs(_mapping(report).get("groups")):
            found += _rates(attribute, group, _mapping(rates))
            for name, one in _pairs(_mapping(rates).get("classes")):
                found += _rates(attribute, f"{group}, class {name}", _mapping(one))
    return tuple(found)


def errors_by_group(version: ModelVersion) -> tuple[GroupErrors, ...]:
    """Return how far a regression is off in each group of each protected attribute; none of a classification."""
    found = []
    for attribute, report in _pairs(_at(version, "evaluation", "parity")):
        for group, figures in _pairs(_mapping(report).get("groups")):
            held = _mapping(figures)
            numbers = [_number(held.get(name)) for name in ("rows", *ERRORS)]
            if None not in numbers:
                rows, *values = (one for one in numbers if one is not None)
                found.append(GroupErrors(attribute, group, int(rows), tuple(values)))
    return tuple(found)


def compared(version: ModelVersion, declared: object) -> str:
    """Return which difference between groups was measured, in words."""
    usual = "residual_difference" if _at(version, "evaluation", "task") == "regression" else "demographic_parity"
    return say(str(declared or _at(version, "fairness", "metric") or usual).replace("_", " "))


def against(version: ModelVersion) -> tuple[tuple[float, float], ...]:
    """Return what happened and what a regression said of some test rows; none where the run kept none."""
    return _points(_at(version, "evaluation", "against"), 2)  # type: ignore[return-value]


def confusion(version: ModelVersion) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return each class with how often each class was said of its rows, in their order; none of other tasks."""
    classes, counts = _at(version, "evaluation", "classes"), _at(version, "evaluation", "confusion")
    if not isinstance(classes, list | tuple) or not isinstance(counts, list | tuple):
        return ()
    points = _points(counts, len(classes))
    named = zip(classes, points, strict=len(points) == len(classes))
    return tuple((str(name), tuple(int(count) for count in row)) for name, row in named)


def wilson(share: float, rows: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927); it stays within 0 and 1, and holds for few rows, too."""
    if rows <= 0:
        return 0.0, 1.0
    middle = (share + _Z**2 / (2 * rows)) / (1 + _Z**2 / rows)
    half = _Z / (1 + _Z**2 / rows) * math.sqrt(share * (1 - share) / rows + _Z**2 / (4 * rows**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def roc(version: ModelVersion) -> tuple[tuple[float, float], ...]:
    """Return points of the ROC curve: false and true positive rate; none where the run kept none."""
    return _points(_at(version, "evaluation", "roc"), 2)  # type: ignore[return-value]


def calibration(version: ModelVersion) -> tuple[tuple[float, float, float], ...]:
    """Return groups of test rows: mean probability, share that was positive, rows; none where the run kept none."""
    return _points(_at(version, "evaluation", "calibration"), 3)  # type: ignore[return-value]


def profile(version: ModelVersion) -> tuple[tuple[str, str, str, str], ...]:
    """Return column, kind, share missing and values of the data that was trained on."""
    found = []
    for name, column in _pairs(_at(version, "quality", "profile")):
        held = _mapping(column)
        missing = _number(held.get("nulls"))
        found.append(
            (name, say(str(held.get("kind", ""))), "" if missing is None else number(missing, ".1%"), _values(held))
        )
    return tuple(found)


def rows_of_data(version: ModelVersion) -> int | None:
    """Return how many rows were there to train and test on."""
    found = _number(_at(version, "quality", "rows"))
    return None if found is None else int(found)


def headline(version: ModelVersion, report: str) -> str:
    """Return the one line in which a report says what it found."""
    return str(_mapping(version.reports.get(report)).get("headline") or "")


def trials(version: ModelVersion) -> int:
    """Return how many settings were tried before this one was chosen."""
    found = _at(version, "tuning", "trials")
    return len(found) if isinstance(found, list | tuple) else 0


def _rates(attribute: str, group: str, rates: Mapping[str, Value]) -> Iterator[GroupRate]:
    rows = _number(rates.get("rows"))
    if rows is None or rows < 1:
        return
    right = _number(rates.get("accuracy"))
    if right is not None:
        yield GroupRate(attribute, group, "accuracy", int(rows), right, *wilson(right, int(rows)))
    chosen, base, found = (_number(rates.get(name)) for name in ("positive_rate", "base_rate", "true_positive_rate"))
    counted = [("positive_rate", chosen, rows)]
    if chosen is not None and base is not None and (found is not None or base == 0):
        hits = (found or 0.0) * base
        wrong = max(0.0, chosen - hits)
        counted += [
            ("true_positive_rate", found, rows * base),
            ("false_positive_rate", wrong / (1 - base) if base < 1 else None, rows * (1 - base)),
            ("accuracy", hits + (1 - base) - wrong, rows),
        ]
    for name, value, over in counted:
        if value is not None and -_ROUNDING <= value <= 1 + _ROUNDING:
            whole, share = round(over), min(1.0, max(0.0, value))
            yield GroupRate(attribute, group, name, whole, share, *wilson(share, whole))


def _values(column: Mapping[str, Value]) -> str:
    low, high = _number(column.get("min")), _number(column.get("max"))
    if low is not None and high is not None:
        mean = _number(column.get("mean"))
        return span(low, high, ".4g") + ("" if mean is None else say(", mean {mean}", mean=number(mean, ".4g")))
    top = [f"{value} ({count})" for value, count in _pairs(column.get("top"))]
    return ", ".join(top[:6]) + (" …" if len(top) > 6 else "")  # noqa: PLR2004 - what fits a line


def _at(version: ModelVersion, report: str, key: str) -> Value:
    return _mapping(version.reports.get(report)).get(key)


def _mapping(value: object) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}


def _pairs(value: object) -> list[tuple[str, Value]]:
    return sorted((str(key), inner) for key, inner in value.items()) if isinstance(value, Mapping) else []


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _points(value: object, width: int) -> tuple[tuple[float, ...], ...]:
    found = []
    for point in value if isinstance(value, list | tuple) else ():
        numbers = [_number(one) for one in point] if isinstance(point, list | tuple) else []
        if len(numbers) != width or any(one is None for one in numbers):
            return ()
        found.append(tuple(one for one in numbers if one is not None))
    return tuple(found)


def curves(version: ModelVersion) -> tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...]:
    """Return feature, values and the mean answer at each, from the gate that follows declared directions."""
    found = []
    for name, report in _pairs(_at(version, "gates", "curves")):
        both = _mapping(report)
        points = _points(
            list(zip(both.get("values") or (), both.get("said") or both.get("probabilities") or (), strict=False)), 2
        )
        if len(points) > 1:
            found.append((name, tuple(x for x, _ in points), tuple(y for _, y in points)))
    return tuple(found)
