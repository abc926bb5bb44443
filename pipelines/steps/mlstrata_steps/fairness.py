"""A gate after evaluation: are the groups of each protected column treated alike, within the declared limit?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import load
from mlstrata_steps.outcome import Check, StepError, report_of
from mlstrata_steps.parity import SMALL, groups_of
from mlstrata_steps.rules import parsed
from mlstrata_steps.several import alone, rules_of, together
from mlstrata_steps.tables import read_table
from mlstrata_steps.tasks import Gap, rates, regression, task_of

METRICS = (*rates.METRICS, *regression.FAIRNESS)
"""Of every task; which fit one, `tasks.Task.fairness` says."""


@dataclass(frozen=True)
class FairnessRules:
    """How far groups may differ.

    Attributes:
        metric: One of the task's (`tasks.Task.fairness`); empty: its usual one.
        at_most: Largest difference between two groups that passes: of shares, 0 to 1, in a regression in standard
            deviations of the target; None: measured, with no limit.
    """

    metric: str = ""
    at_most: float | None = None

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> FairnessRules:
        """Read rules from plain JSON values.

        Raises:
            StepError: A rule is unknown or out of range.
        """
        rules = parsed(cls, "fairness", document)
        if rules.metric and rules.metric not in METRICS:
            raise StepError(f"fairness.metric: got {rules.metric!r}; allowed {', '.join(METRICS)}")
        if rules.at_most is not None and not 0 <= rules.at_most <= 1:
            raise StepError(f"fairness.at_most: got {rules.at_most!r}; allowed 0 to 1")
        return rules


def check_fairness(
    test: str, model: str, columns: Mapping[str, object], rules: Mapping[str, object], *, seed: int = 0
) -> dict[str, object]:
    """Compare what a model says between the groups of every protected column.

    The gap itself is held against the limit, not an end of its interval: a limit about people is not stretched because
    few of them were measured.

    Args:
        test: The test rows.
        model: The model that `train` wrote.
        columns: The roles of the columns (`Columns`).
        rules: The limit (`FairnessRules`).
        seed: Of the bootstrap.

    Returns:
        A gate's report (`outcome.report_of`) with `groups`: protected column to group to rows and figures
        (`tasks.Task.groups`).

    Raises:
        StepError: A role or rule is malformed.
    """
    if each := alone(columns):
        return together(
            {name: check_fairness(test, model, one, rules_of(rules, name), seed=seed) for name, one in each.items()}
        )
    table, roles, limits = read_table(test), Columns.parse(columns), FairnessRules.parse(rules)
    pipeline, task = load(model, roles.output), task_of(roles, table)
    metric = limits.metric or task.fairness[0]
    if metric not in task.fairness:
        raise StepError(f"fairness.metric: got {metric!r}; allowed {', '.join(task.fairness)}")
    names = [str(name) for name in pipeline.feature_names_in_]
    labels, said = task.labels(table[roles.target]), task.ask(pipeline, feature_frame(table, names))
    blind = task.unmeasurable(said)
    used = [name for name in names if name in roles.protected]
    detail = f"the model sees {', '.join(used)}; protected columns are for measuring only"
    if not used:
        detail = f"{len(roles.protected)} kept from the model"
    checks = [Check("protected columns unseen", not used, detail)]
    numbers: dict[str, float | None] = {}
    groups: dict[str, object] = {}
    for name in roles.protected:
        codes = groups_of(table[name])
        measured = groups[name] = task.groups(codes, labels, said)
        gap = task.gap(codes, labels, said, metric, seed=seed)
        shown = task.grouped + ", ".join(
            f"{group} {task.group_in_words(one, metric)}" for group, one in measured.items()
        )
        fix = "; model.settings.mitigation {method: reweigh} can narrow it in training"
        checks.append(_judged(name, metric, gap, shown, at_most=limits.at_most, blind=blind, fix=fix))
        if gap is not None and not blind:
            mark = f"fairness_{name}"
            numbers |= {mark: gap.value, f"{mark}_low": gap.low, f"{mark}_high": gap.high}
    gaps = [f"{name} {numbers[f'fairness_{name}']:.3f}" for name in roles.protected if f"fairness_{name}" in numbers]
    allowed = "no limit declared" if limits.at_most is None else f"at most {limits.at_most:g} allowed"
    headline = f"{metric.replace('_', ' ')}: {', '.join(gaps) or 'nothing to compare'}, {allowed}"
    return report_of(checks, numbers, headline=headline, groups=groups, metric=metric)


def _judged(
    name: str, metric: str, gap: Gap | None, groups: str, *, at_most: float | None, blind: str, fix: str
) -> Check:
    """Judge a column; a limit about people is never kept by what cannot be measured."""
    words = metric.replace("_", " ")
    limit = "no limit declared" if at_most is None else f"at most {at_most:g} allowed"
    if gap is None or blind:
        why = blind or f"fewer than two groups have {SMALL} rows that count"
        return Check(name, False, f"{words} is not measurable: {why}; {limit}; {groups}", warns=at_most is None)
    unit = f" ({gap.of})" if gap.of else ""
    measured = f"{words} differs by {gap.value:.3f} ({gap.low:.3f} to {gap.high:.3f}){unit}"
    passed = at_most is None or gap.value <= at_most
    return Check(name, passed, f"{measured}, {limit}; {groups}{'' if passed else fix}")
