"""A step before training: trials of hyperparameters in parallel, judged on validation folds of the training rows."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import build, require_known
from mlstrata_steps.mitigation import MitigationRules, fitting, row_weights
from mlstrata_steps.outcome import StepError, read_json, write_json
from mlstrata_steps.rules import parsed
from mlstrata_steps.tables import read_table
from mlstrata_steps.tasks import Metric, Task, named_metric, task_of
from mlstrata_steps.tasks.metrics import METRICS
from mlstrata_steps.versioning import code_version

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SPACES: Mapping[str, Mapping[str, object]] = {
    "logistic_regression": {"C": {"low": 0.001, "high": 100.0, "log": True}},
    "linear_regression": {"alpha": {"low": 0.001, "high": 1000.0, "log": True}},
    "random_forest": {
        "n_estimators": [100, 200, 300],
        "min_samples_leaf": {"low": 2, "high": 30, "log": True},
        "max_features": ["sqrt", 0.5, 0.8],
    },
    "hist_gradient_boosting": {
        "learning_rate": {"low": 0.01, "high": 0.2, "log": True},
        "max_leaf_nodes": [7, 15, 31],
        "min_samples_leaf": {"low": 5, "high": 60, "log": True},
        "l2_regularization": {"low": 0.001, "high": 10.0, "log": True},
    },
}
"""Where trials are drawn from when a system declares no space: a list to choose from, or a range; whole ends draw whole
numbers."""


@dataclass(frozen=True)
class SearchRules:
    """How hyperparameters are looked for.

    Attributes:
        trials: How many sets of hyperparameters are tried, the declared one first; 0 takes the declared one unasked.
        seconds: Budget: no trial starts after it, though those that run are waited for.
        folds: Validation folds of the training rows; the test rows are never looked at.
        processes: Trials at once; None takes the processors that this process may use.
        metric: What is compared, one of the task's metrics; empty takes its headline.
        space: Hyperparameter to a list of values or `{low, high, log}`; empty takes `SPACES`.
    """

    trials: int = 0
    seconds: float = 600.0
    folds: int = 3
    processes: int | None = None
    metric: str = ""
    space: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> SearchRules:
        """Read rules from plain JSON values.

        Raises:
            StepError: A rule is unknown or out of range.
        """
        rules = parsed(cls, "search", document)
        fits = rules.trials >= 0 and rules.seconds > 0 and rules.folds > 1
        fits = fits and (rules.processes is None or rules.processes > 0)
        if rules.metric and rules.metric not in METRICS:
            raise StepError(f"search.metric: got {rules.metric!r}; allowed {', '.join(METRICS)}")
        if not fits:
            raise StepError(
                f"search: got {dict(document)}; trials from 0, seconds above 0, folds from 2, processes from 1"
            )
        return rules


@dataclass(frozen=True)
class Trial:
    """One set of hyperparameters and how it did.

    Attributes:
        number: Its place in the order in which they were drawn, from 1.
        parameters: The hyperparameters, over the algorithm's defaults.
        score: Mean of the metric over the folds; None when the classifier refused the parameters.
        spread: Standard deviation over the folds.
        seconds: How long it took when it was computed.
        cached: Its result was computed by an earlier run.
        error: Why the classifier refused.
    """

    number: int
    parameters: Mapping[str, object]
    score: float | None
    spread: float | None
    seconds: float
    cached: bool = False
    error: str | None = None

    def document(self) -> dict[str, object]:
        """Give it as plain JSON values; what there is not is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def search(
    train: str,
    columns: Mapping[str, object],
    *,
    algorithm: str,
    parameters: Mapping[str, object],
    rules: Mapping[str, object],
    seed: int = 0,
    store: str = "",
    tell: Callable[[str], None] | None = None,
    mitigation: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Try sets of hyperparameters in parallel processes and choose the best by its mean over validation folds.

    Every trial's result is kept under a hash of rows, code, settings and parameters, so a search that goes on after
    another, or asks for more trials, computes only what is new.

    Args:
        train: The training rows.
        columns: The roles of the columns (`Columns`).
        algorithm: One of `estimator.ALGORITHMS`.
        parameters: The declared hyperparameters: trial 1, and what every other trial changes.
        rules: How to look (`SearchRules`).
        seed: Of the draws, the folds and the classifiers.
        store: Folder of trials' results; empty keeps none.
        tell: Called with a sentence after each trial.
        mitigation: What training does against differences between groups (`MitigationRules`), in trials too.

    Returns:
        `parameters` (the chosen ones), `trials` (each a `Trial`), `best` (its number; 0 without a search), `metric`,
        `asked` and `out_of_time`.

    Raises:
        StepError: A rule is malformed, or the declared hyperparameters cannot be trained with.
    """
    limits = SearchRules.parse(rules)
    if not limits.trials:
        return {"parameters": dict(parameters), "trials": [], "best": 0, "metric": limits.metric, "asked": 0,
                "out_of_time": False}  # fmt: skip
    began, found = time.monotonic(), list[Trial]()
    table, roles = read_table(train), Columns.parse(columns)
    if roles.names:
        raise StepError("search.trials: of several answers none is searched for; give `parameters` of each output")
    task = task_of(roles, table)
    # Drawn from, each would only be a trial that fails.
    require_known(algorithm, limits.space, "search.space", task.learns)
    metric = named_metric(task, limits.metric, "search.metric")
    features = feature_frame(table, roles.seen(list(table.columns)))
    labels = task.labels(table[roles.target])
    weights = row_weights(table, roles, MitigationRules.parse(mitigation or {}))
    drawn = draws(algorithm, parameters, limits, seed)
    context = [
        code_version(),
        hashlib.sha256(Path(train).read_bytes()).hexdigest(),
        dict(columns),
        dict(mitigation or {}),
        algorithm,
        seed,
        limits.folds,
        metric.name,
    ]
    prefix = hashlib.sha256(json.dumps(context, sort_keys=True).encode()).hexdigest()
    files = {number: _file(store, prefix, chosen) for number, chosen in enumerate(drawn, start=1)}

    def add(trial: Trial) -> None:
        found.append(trial)
        if tell:
            best = _best(found, metric)
            shown = "none yet" if best is None else f"{metric.name} {best.score:.4f} by trial {best.number}"
            tell(f"{len(found)} of {len(drawn)} trials, best {shown}")

    for number, chosen in enumerate(drawn, start=1):
        if (known := _known(files[number])) is not None:
            add(
                Trial(
                    number, chosen, known.get("score"), known.get("spread"), known["seconds"], True, known.get("error")
                )
            )
    open_ones = [(number, drawn[number - 1]) for number in files if number not in {trial.number for trial in found}]
    make = (algorithm, features, labels, weights, seed, limits, task, metric.name, roles.texts, roles.images)
    for trial in _in_parallel(open_ones, make, limits.processes or _processors(), began + limits.seconds):
        if files[trial.number] is not None:
            write_json(str(files[trial.number]), trial.document())
        add(trial)
    found.sort(key=lambda trial: trial.number)
    best = _best(found, metric)
    if best is None:
        why = next(
            (trial.error for trial in found if trial.error), "the budget of seconds ended before the first trial"
        )
        raise StepError(f"search: no trial of {algorithm} gave a model: {why}")
    return {
        "parameters": dict(best.parameters),
        "trials": [trial.document() for trial in found],
        "best": best.number,
        "metric": metric.name,
        "asked": len(drawn),
        "out_of_time": len(found) < len(drawn),
    }


def draws(algorithm: str, parameters: Mapping[str, object], limits: SearchRules, seed: int) -> list[dict[str, object]]:
    """List the sets of hyperparameters to try: the declared one, then draws; a longer list starts with a shorter one.

    A space of lists only may hold fewer sets than trials are asked for: none is tried twice.

    Raises:
        StepError: The space is malformed.
    """
    import numpy as np

    space = limits.space or SPACES.get(algorithm, {})
    random = np.random.default_rng([seed, 7])
    chosen, seen = [dict(parameters)], {json.dumps(dict(parameters), sort_keys=True)}
    misses = 0
    while len(chosen) < limits.trials and misses < 50 * limits.trials:
        one = {**parameters, **{name: _draw(name, space[name], random) for name in sorted(space)}}
        key = json.dumps(one, sort_keys=True)
        if key in seen:
            misses += 1
            continue
        seen.add(key)
        chosen.append(one)
    return chosen


def _draw(name: str, choice: object, random: np.random.Generator) -> object:
    if isinstance(choice, list | tuple) and choice:
        return choice[int(random.integers(len(choice)))]
    allowed = "a list of values, or {low, high, log}"
    if not isinstance(choice, Mapping) or not {"low", "high"} <= set(choice) <= {"low", "high", "log"}:
        raise StepError(f"search.space.{name}: got {choice!r}; allowed {allowed}")
    low, high, log = choice["low"], choice["high"], bool(choice.get("log"))
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high))
    if not numbers or low >= high or (log and low <= 0):
        raise StepError(f"search.space.{name}: got {choice!r}; low must lie below high, and above 0 with log")
    import math

    share = float(random.random())
    value = math.exp(math.log(low) + share * (math.log(high) - math.log(low))) if log else low + share * (high - low)
    # Six digits: a person who reads a trial can write it into the environment's file.
    return round(value) if isinstance(low, int) and isinstance(high, int) else float(f"{value:.6g}")


def _in_parallel(
    waiting: Sequence[tuple[int, dict[str, object]]], make: tuple[Any, ...], processes: int, deadline: float
) -> Iterator[Trial]:
    """Run trials in processes, as many at once as asked for; give each as it ends."""
    if not waiting:
        return
    from joblib import Parallel, delayed

    def started() -> Iterator[Any]:
        for number, parameters in waiting:
            # A budget that is over still lets one trial decide, for otherwise there is no model at all.
            if time.monotonic() >= deadline and number != 1:
                return
            yield delayed(try_one)(number, parameters, *make)

    # Each process takes one trial at a time: what is not started when the budget ends is not started at all.
    pool = Parallel(
        n_jobs=min(processes, len(waiting)), return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs"
    )
    yield from pool(started())


def try_one(  # noqa: PLR0917 - a task of a process
    number: int,
    parameters: Mapping[str, object],
    algorithm: str,
    features: pd.DataFrame,
    labels: NDArray[Any],
    weights: NDArray[np.float64] | None,
    seed: int,
    limits: SearchRules,
    task: Task,
    metric: str,
    prose: Sequence[str] = (),
    pictures: Sequence[str] = (),
) -> Trial:
    """Score one set of hyperparameters on every validation fold, each by a model that did not see it."""
    import numpy as np
    from sklearn.model_selection import StratifiedKFold
    from threadpoolctl import threadpool_limits

    began, scores = time.monotonic(), []
    folds = StratifiedKFold(n_splits=limits.folds, shuffle=True, random_state=seed)
    try:
        with threadpool_limits(limits=1):
            for others, held in folds.split(features, task.strata(labels)):
                model = build(
                    algorithm, parameters, features, seed=seed, learns=task.learns, prose=prose, pictures=pictures
                )
                model.fit(features.iloc[others], labels[others], **fitting(weights, others))
                scores.append(task.metrics[metric](labels[held], task.ask(model, features.iloc[held])))
    except (ValueError, StepError) as error:
        return Trial(number, parameters, None, None, time.monotonic() - began, error=str(error).splitlines()[0])
    return Trial(number, parameters, float(np.mean(scores)), float(np.std(scores)), time.monotonic() - began)


def _best(trials: Sequence[Trial], metric: Metric) -> Trial | None:
    """Find the best trial; of equals, the one drawn first."""
    sign = -1 if metric.higher_is_better else 1
    scored = [(sign * trial.score, trial.number, trial) for trial in trials if trial.score is not None]
    return min(scored, key=lambda one: one[:2])[2] if scored else None


def _file(store: str, prefix: str, parameters: Mapping[str, object]) -> Path | None:
    if not store:
        return None
    key = hashlib.sha256((prefix + json.dumps(dict(parameters), sort_keys=True)).encode()).hexdigest()
    return Path(store) / f"{key[:32]}.json"


def _known(file: Path | None) -> dict[str, Any] | None:
    return read_json(str(file)) if file is not None and file.exists() else None


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
