"""A gate after evaluation: has the model learnt anything, or would shuffled labels have done as well?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import build, load
from mlstrata_steps.intervals import auc
from mlstrata_steps.outcome import Check, StepError, report_of
from mlstrata_steps.rules import parsed
from mlstrata_steps.tables import positives, read_table

if TYPE_CHECKING:
    import pandas as pd

CHANCE = 0.5

PERMUTATIONS: Mapping[str, int] = {"logistic_regression": 19, "random_forest": 5, "hist_gradient_boosting": 9}
"""Shuffled models by algorithm: what takes a second or two. 19 is the least that makes luck one in twenty."""

OTHERS = 5
"""Shuffled models of other people's learners, which may take longer."""


@dataclass(frozen=True)
class SignalRules:
    """How clearly a model must beat chance.

    Attributes:
        margin: How far above 0.5 the lower end of the AUC's interval must start.
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
            0 <= rules.margin < CHANCE
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
    algorithm: str = "logistic_regression",
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
    limits, roles = SignalRules.parse(rules), Columns.parse(columns)
    found = evaluation["metrics"]["auc"]  # type: ignore[index]
    needed = CHANCE + limits.margin
    interval = f"auc {found['value']:.3f}, its interval starts at {found['low']:.3f}"
    checks = [Check("above chance", found["low"] > needed, f"{interval}; above {needed:g} asked for")]
    numbers: dict[str, float | None] = {"signal_auc_low": found["low"]}
    times = PERMUTATIONS.get(algorithm, OTHERS) if limits.permutations is None else limits.permutations
    headline = interval
    if times:
        names = [str(name) for name in load(model).feature_names_in_]
        shuffled = _shuffled(
            read_table(train), read_table(test), names, roles, limits,
            algorithm=algorithm, parameters=parameters or {}, seed=seed, times=times,
        )  # fmt: skip
        highest = max(shuffled)
        beaten = sum(found["value"] > one for one in shuffled)
        chance = (1 + len(shuffled) - beaten) / (1 + len(shuffled))
        detail = f"auc {found['value']:.3f}; {len(shuffled)} models of shuffled labels reach {highest:.3f} at best"
        checks.append(Check("better than shuffled labels", beaten == len(shuffled), f"{detail} (p = {chance:.2f})"))
        numbers |= {"signal_shuffled_auc": highest, "signal_p": chance}
        headline = f"{interval}; shuffled labels {highest:.3f} at best"
    return report_of(checks, numbers, headline=headline)


def _shuffled(
    training: pd.DataFrame,
    testing: pd.DataFrame,
    names: list[str],
    roles: Columns,
    limits: SignalRules,
    *,
    algorithm: str,
    parameters: Mapping[str, object],
    seed: int,
    times: int,
) -> list[float]:
    """Train on shuffled labels, test on the true ones: the AUCs that these features and settings reach by luck."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    random = np.random.default_rng(seed)
    rows = random.permutation(len(training))[: limits.max_rows]
    sample = training.iloc[rows].reset_index(drop=True)
    features, tested = feature_frame(sample, names), feature_frame(testing, names)
    labels = positives(sample[roles.target], roles.positive).astype("int64")
    truth = positives(testing[roles.target], roles.positive).astype("int64")
    found = []
    # Fits this small lose more by waiting for each other's threads than they gain.
    with threadpool_limits(limits=1):
        for number in range(times):
            luck = build(algorithm, parameters, features, seed=seed + number)
            luck.fit(features, random.permutation(labels))
            found.append(auc(truth, luck.predict_proba(tested)[:, 1]))
    return found
