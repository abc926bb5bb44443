"""A gate after evaluation: has the model learnt anything, or would shuffled labels have done as well?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import SIMPLEST, build, load
from mlstrata_steps.outcome import Check, StepError, report_of
from mlstrata_steps.rules import parsed
from mlstrata_steps.several import alone, part_of, rules_of, together
from mlstrata_steps.tables import read_table
from mlstrata_steps.tasks import Task, task_of
from mlstrata_steps.tasks.base import CLASSIFIER

if TYPE_CHECKING:
    import pandas as pd

PERMUTATIONS: Mapping[str, int] = {
    "logistic_regression": 19, "linear_regression": 19, "random_forest": 5, "hist_gradient_boosting": 9,
}  # fmt: skip
"""Shuffled models by algorithm: what takes a second or two. 19 is the least that makes luck one in twenty."""
_MOST_MARGIN = 0.5

OTHERS = 5
"""Shuffled models of other people's learners, which may take longer."""


@dataclass(frozen=True)
class SignalRules:
    """How clearly a model must beat chance.

    Attributes:
        margin: How far above chance (0.5 of an AUC, 0 of an R2) the lower end of the headline's interval must start.
        permutations: How often a model is trained on shuffled labels: the true one must beat them all; 0 leaves the
            test out, None takes what the algorithm can do in seconds (`PERMUTATIONS`).
        max_rows: Training rows above which shuffled models are trained on a sample of so many: they only need chance.
    """

    margin: float = 0.02
    permutations: int | None = None
    max_rows: int = 2000

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> SignalRules:
        """Read rules from plain JSON values.

        Raises:
            StepError: A rule is unknown or out of range.
        """
        rules = parsed(cls, "signal", document)
        fits = (
            0 <= rules.margin < _MOST_MARGIN
            and (rules.permutations is None or rules.permutations >= 0)
            and rules.max_rows > 0
        )
        if not fits:
            raise StepError(f"signal: got {dict(document)}; margin lies in 0 to 0.5, the others are not negative")
        return rules


def check_signal(
    train: str,
    test: str,
    model: str,
    columns: Mapping[str, object],
    *,
    evaluation: Mapping[str, object],
    rules: Mapping[str, object],
    algorithm: str = "",
    parameters: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict[str, object]:
    """Compare a model with chance, and with models of the same settings that learnt from shuffled labels.

    Args:
        train: The training rows.
        test: The test rows.
        model: The model that `train` wrote.
        columns: The roles of the columns (`Columns`).
        evaluation: What `evaluate` returned.
        rules: The limits (`SignalRules`).
        algorithm: The model's.
        parameters: The model's.
        seed: Of the shuffling and of the shuffled models.

    Returns:
        A gate's report (`outcome.report_of`).

    Raises:
        StepError: A role or rule is malformed.
    """
    if each := alone(columns):
        declared = Columns.parse(columns).outputs
        return together(
            {
                name: check_signal(
                    train,
                    test,
                    model,
                    one,
                    evaluation=part_of(evaluation, name),
                    rules=rules_of(rules, name),
                    algorithm=str(declared[name].get("algorithm") or ""),
                    parameters=rules_of(parameters or {}, name),
                    seed=seed,
                )
                for name, one in each.items()
            }
        )
    limits, roles = SignalRules.parse(rules), Columns.parse(columns)
    training = read_table(train)
    task = task_of(roles, training)
    name, words = task.headline, task.headline.replace("_", " ")
    found = evaluation["metrics"][name]  # type: ignore[index]
    needed = task.chance + limits.margin
    interval = f"{words} {found['value']:.3f}, its interval starts at {found['low']:.3f}"
    checks = [Check("above chance", found["low"] > needed, f"{interval}; above {needed:g} asked for")]
    numbers: dict[str, float | None] = {f"signal_{name}_low": found["low"]}
    times = (
        PERMUTATIONS.get(algorithm or SIMPLEST[task.learns], OTHERS)
        if limits.permutations is None
        else limits.permutations
    )
    headline = interval
    if times:
        names = [str(name) for name in load(model, roles.output).feature_names_in_]
        shuffled = _shuffled(
            training, read_table(test), names, roles, task, limits,
            algorithm=algorithm, parameters=parameters or {}, seed=seed, times=times,
        )  # fmt: skip
        highest = max(shuffled)
        beaten = sum(found["value"] > one for one in shuffled)
        chance = (1 + len(shuffled) - beaten) / (1 + len(shuffled))
        detail = f"{words} {found['value']:.3f}; {len(shuffled)} models of shuffled labels reach {highest:.3f} at best"
        checks.append(Check("better than shuffled labels", beaten == len(shuffled), f"{detail} (p = {chance:.2f})"))
        numbers |= {f"signal_shuffled_{name}": highest, "signal_p": chance}
        headline = f"{interval}; shuffled labels {highest:.3f} at best"
    return report_of(checks, numbers, headline=headline)


def _shuffled(  # noqa: PLR0917 - one call, from the function above it
    training: pd.DataFrame,
    testing: pd.DataFrame,
    names: list[str],
    roles: Columns,
    task: Task,
    limits: SignalRules,
    *,
    algorithm: str,
    parameters: Mapping[str, object],
    seed: int,
    times: int,
) -> list[float]:
    """Train on shuffled labels, test on the true ones: the headlines that these features and settings reach by luck."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    random = np.random.default_rng(seed)
    labels = task.labels(training[roles.target])
    rows = random.permutation(len(training))[: limits.max_rows]
    if task.learns == CLASSIFIER:
        # A sample that lacks a class would train a model of fewer.
        firsts = np.unique(labels, return_index=True)[1]
        rows = np.unique(np.concatenate([rows, firsts]))
    sample, labels = training.iloc[rows].reset_index(drop=True), labels[rows]
    features, tested = feature_frame(sample, names), feature_frame(testing, names)
    truth = task.labels(testing[roles.target])
    found, apart = [], {"prose": roles.texts, "pictures": roles.images}
    # Fits this small lose more by waiting for each other's threads than they gain.
    with threadpool_limits(limits=1):
        for number in range(times):
            luck = build(algorithm, parameters, features, seed=seed + number, learns=task.learns, **apart)
            luck.fit(features, random.permutation(labels))
            found.append(task.score(truth, task.ask(luck, tested)))
    return found
