"""Step 4: fit the model on the training rows."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlstrata_steps import distributed
from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import SIMPLEST, build, load, save
from mlstrata_steps.mitigation import MitigationRules, fitting, row_weights
from mlstrata_steps.outcome import StepError
from mlstrata_steps.several import OUTPUTS, Models, alone, rules_of
from mlstrata_steps.tables import read_table
from mlstrata_steps.tasks import task_of


@dataclass(frozen=True)
class Trained:
    """What was trained.

    Attributes:
        features: What the model sees, in the order it signs.
        answers: What the training rows' answers come to (`tasks.Task.answers`): all that a trivial baseline knows.
        rows: Number of training rows.
        shared: How several processes shared the work (`distributed.fit`); empty where one did it all.
    """

    features: tuple[str, ...]
    answers: Mapping[str, object]
    rows: int
    shared: Mapping[str, object] = field(default_factory=dict)


def train(
    path: str,
    model: str,
    columns: Mapping[str, object],
    *,
    algorithm: str = "",
    parameters: Mapping[str, object] | None = None,
    seed: int = 0,
    workers: int = 1,
    mitigation: Mapping[str, object] | None = None,
) -> Trained:
    """Fit a model of what is asked; of several answers one for each, which are stored as one.

    Args:
        path: The training rows.
        model: Where the model goes, in skops' format.
        columns: The roles of the columns (`Columns`).
        algorithm: One of `estimator.ALGORITHMS`, or another learner; empty: the simplest.
        parameters: Hyperparameters.
        seed: Of the estimator.
        workers: Processes that each hold a part of the rows (`mlstrata_steps.distributed`); 1 trains in this one.
        mitigation: What is done against differences between groups (`MitigationRules`).

    Raises:
        StepError: A setting is wrong; the estimator's own message is repeated.
    """
    if each := alone(columns):
        return _trained_each(path, model, columns, each, parameters or {}, seed, mitigation or {})
    table, roles = read_table(path), Columns.parse(columns)
    features = feature_frame(table, roles.seen(list(table.columns)))
    task = task_of(roles, table)
    algorithm = algorithm or SIMPLEST[task.learns]
    labels = task.labels(table[roles.target])
    weights = row_weights(table, roles, MitigationRules.parse(mitigation or {}))
    apart = {"prose": roles.texts, "pictures": roles.images}
    pipeline = build(algorithm, parameters or {}, features, seed=seed, learns=task.learns, **apart)
    shared: Mapping[str, object] = {}
    if workers > 1:
        distributed.check(algorithm, parameters or {}, task.name, prose=(*roles.texts, *roles.images))
    try:
        if workers > 1:
            shared = distributed.fit(pipeline, features, labels, workers=workers, weights=weights)
        else:
            pipeline.fit(features, labels, **fitting(weights))
    except ValueError as error:
        raise StepError(f"{algorithm} cannot be trained with these settings: {error}") from error
    save(pipeline, model)
    return Trained(tuple(features.columns), task.answers(labels), len(table), shared)


def _trained_each(  # noqa: PLR0917 - one call, from the function above it
    path: str,
    model: str,
    columns: Mapping[str, object],
    each: Mapping[str, Mapping[str, object]],
    parameters: Mapping[str, object],
    seed: int,
    mitigation: Mapping[str, object],
) -> Trained:
    """Fit a model for each answer, by the algorithm that its roles name."""
    declared = Columns.parse(columns).outputs
    trained, models = dict[str, Trained](), dict[str, Any]()
    with tempfile.TemporaryDirectory() as folder:
        for name, roles in each.items():
            file = f"{folder}/{name}"
            trained[name] = train(
                path,
                file,
                roles,
                algorithm=str(declared[name].get("algorithm") or ""),
                parameters=rules_of(parameters, name),
                seed=seed,
                mitigation=rules_of(mitigation, name),
            )
            models[name] = load(file)
        save(Models(models), model)
    first = next(iter(trained.values()))
    return Trained(first.features, {OUTPUTS: {name: one.answers for name, one in trained.items()}}, first.rows)
