"""Step 5: how good is the model on rows it never saw, against saying the same of everyone?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import load
from mlstrata_steps.intervals import differences, estimates
from mlstrata_steps.outcome import Check, known
from mlstrata_steps.own_metrics import metrics_of
from mlstrata_steps.parity import groups_of
from mlstrata_steps.several import OUTPUTS, alone, part_of, together
from mlstrata_steps.tables import read_table, row_hashes
from mlstrata_steps.tasks import task_of
from mlstrata_steps.tasks.output import INTERVAL, SEVERAL

if TYPE_CHECKING:
    import pandas as pd

    from mlstrata_steps.tasks import Task
    from mlstrata_steps.tasks.base import Labels, Said


def evaluate(
    path: str, model: str, columns: Mapping[str, object], *, answers: Mapping[str, object], seed: int = 0
) -> dict[str, object]:
    """Measure a model on the test rows.

    Args:
        path: The test rows.
        model: The model that `train` wrote.
        columns: The roles of the columns (`Columns`).
        answers: What training saw (`train.Trained`): the baseline says the same of everyone, by all that these tell.
        seed: Of the bootstrap.

    Returns:
        `task`; `rows`; `metrics` and `baseline` by name (the former with `low` and `high`); `parity` by protected
        column; `checks` against the baseline; `interval`, where one is asked for (`tasks.conformal`); and what a task
        shows beside (`tasks.Task.shown`), such as curves. Of several answers, each figure as NAME.FIGURE, and by name
        in `outputs` all that is told of one.
    """
    if each := alone(columns):
        found = {
            name: evaluate(path, model, one, answers=part_of(answers, name), seed=seed) for name, one in each.items()
        }
        named = together({name: {"passed": True, "headline": "", **one} for name, one in found.items()})
        told = {key: named[key] for key in ("metrics", "baseline", "parity", "checks")}
        return {"task": SEVERAL, "rows": next(iter(found.values()))["rows"], **told, OUTPUTS: found}
    table, roles = read_table(path), Columns.parse(columns)
    pipeline, task = load(model, roles.output), task_of(roles, table)
    features = feature_frame(table, [str(name) for name in pipeline.feature_names_in_])
    labels = task.labels(table[roles.target])
    said, strata = task.ask(pipeline, features), task.resampled(labels)
    report: dict[str, object] = {
        "task": task.name,
        "rows": len(table),
        **task.shown(labels, said),
        "parity": {name: _parity(task, table[name], labels, said) for name in roles.protected},
    }
    # A figure that these rows do not define, such as a percentage of nothing, is not measured.
    every = metrics_of(task, roles, table)
    measurable = {name: metric for name, metric in every.items() if not math.isnan(metric(labels, said))}
    measured = estimates(measurable, labels, said, strata, seed=seed)
    constants = {name: task.constant(answers, len(labels), name) for name in measurable}
    baseline = {name: metric(labels, constants[name]) for name, metric in measurable.items()}
    loss = {task.loss: task.metrics[task.loss]}
    less = differences(loss, labels, said, constants, strata, seed=seed)[task.loss]
    best, words = measured[task.headline], {name: name.replace("_", " ") for name in measured}
    same = f"saying {task.in_words(answers)} of everyone gives"
    checks = [
        Check(
            "better than chance",
            best.low > baseline[task.headline],
            f"{words[task.headline]} {best.value:.3f}, its interval starts at {best.low:.3f}; "
            f"{same} {baseline[task.headline]:.2f}",
        ),
        Check(
            "better than the base rate",
            task.metrics[task.loss].clearly_better(less.low, less.high),
            f"{words[task.loss]} {measured[task.loss].value:.4g}; {same} {baseline[task.loss]:.4g}, "
            f"a difference of {less.value:+.3g} ({less.low:+.3g} to {less.high:+.3g})",
        ),
    ]
    if roles.interval is not None:
        # Halved by what the rows hold: another order of them finds the same.
        first = row_hashes(table, salt=f"interval {seed}") < b"8"
        report[INTERVAL], kept = task.interval(labels, said, first)
        checks += kept
    metrics = {name: asdict(estimate) for name, estimate in measured.items()}
    return known({**report, "metrics": metrics, "baseline": baseline, "checks": [asdict(check) for check in checks]})


def _parity(task: Task, column: pd.Series[object], labels: Labels, said: Said) -> dict[str, object]:
    """Say how the groups of a protected column fare, and the largest difference by the task's usual measure."""
    codes = groups_of(column)
    gap = task.gap(codes, labels, said, task.fairness[0], resamples=1)
    return {"gap": None if gap is None else gap.value, "groups": task.groups(codes, labels, said)}
