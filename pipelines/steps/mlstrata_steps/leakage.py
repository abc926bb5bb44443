"""A gate before training: does a feature already hold the answer, or do test rows sit among the training rows?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import Columns, feature_frame, texts
from mlstrata_steps.leaked_words import in_words
from mlstrata_steps.outcome import Check, report_of
from mlstrata_steps.rules import parsed
from mlstrata_steps.several import alone, rules_of, together
from mlstrata_steps.tables import read_table, row_hashes
from mlstrata_steps.tasks import Task, task_of
from mlstrata_steps.tasks.base import CLASSIFIER

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

FOLDS = 3
SHOWN = 3
ANSWERS = frozenset({"target", "label", "labels", "outcome", "y_true", "ground_truth", "prediction", "predicted"})
"""Names that no feature carries by accident."""


@dataclass(frozen=True)
class LeakageRules:
    """Limits of the search for leaks.

    Attributes:
        max_auc: Largest cross-validated AUC (of a number: R2) of one feature, or of two together: above it, it is the
            answer itself.
        jump_auc: AUC (of a number: R2) of a feature from which it must not stand far above the others.
        max_jump: How far, in the same unit, it may stand above the next feature then.
        max_overlap: Largest share of test rows whose features a training row has, too.
        max_rows: Rows looked at; more are sampled, since an AUC this high shows in few.
        max_features: Features looked at in pairs, the strongest first; the number of pairs grows with the square.
        allow: Features that may know this much, or be named so, for a reason that a person knows.
    """

    max_auc: float = 0.99
    jump_auc: float = 0.95
    max_jump: float = 0.15
    max_overlap: float = 0.1
    max_rows: int = 5000
    max_features: int = 15
    allow: tuple[str, ...] = ()

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> LeakageRules:
        """Read rules from plain JSON values.

        Raises:
            StepError: A rule is unknown or of the wrong type.
        """
        return parsed(cls, "leakage", document)


def check_leakage(
    train: str, test: str, columns: Mapping[str, object], rules: Mapping[str, object], *, seed: int = 0
) -> dict[str, object]:
    """Look for the answer among the features, and for test rows among the training rows.

    Args:
        train: The training rows.
        test: The test rows.
        columns: The roles of the columns (`Columns`).
        rules: The limits (`LeakageRules`).
        seed: Of the sample and the folds.

    Returns:
        A gate's report (`outcome.report_of`) with `scores`: feature to its cross-validated AUC, or R2.

    Raises:
        StepError: A role or rule is malformed.
    """
    import numpy as np

    if each := alone(columns):
        return together(
            {name: check_leakage(train, test, one, rules_of(rules, name), seed=seed) for name, one in each.items()}
        )
    training, testing = read_table(train), read_table(test)
    roles, limits = Columns.parse(columns), LeakageRules.parse(rules)
    seen = roles.seen(list(training.columns))
    checks = [*_names(seen, roles.target, limits), *_overlap(training, testing, seen, roles.target, limits)]
    chosen = np.random.default_rng(seed).permutation(len(training))[: limits.max_rows]
    sample = training.iloc[chosen].reset_index(drop=True)
    task = task_of(roles, training)
    labels, unit = task.labels(sample[roles.target]), task.headline
    if task.learns == CLASSIFIER:
        # A class of less than a row a fold cannot be looked for in each.
        kept = np.isin(labels, [one for one in np.unique(labels) if (labels == one).sum() >= FOLDS])
        sample, labels = sample[kept].reset_index(drop=True), labels[kept]
    folds = _folds(task.strata(labels), seed)
    asked = [name for name in seen if name not in {*limits.allow, *roles.texts, *roles.images}]
    coded = {name: _coded(feature_frame(sample, [name])[name], task.encoded(labels), folds) for name in asked}
    looked = _Looked(task, labels, folds, seed)
    scores = {name: max(looked.score([coded[name]]), looked.ranked(coded[name])) for name in asked}
    checks += _single(scores, sample, looked, limits)
    told = {
        name: in_words(feature_frame(sample, [name])[name], task, labels, folds)
        for name in seen
        if name in roles.texts and name not in limits.allow
    }
    checks += [one for name, found in told.items() for one in found.checks(name, unit, limits.max_auc)]
    pair, best = _strongest_pair(coded, scores, looked, limits)
    checks.append(
        Check(
            "no two features hold the answer",
            best <= limits.max_auc,
            f"{' and '.join(pair)} together reach {unit} {best:.3f}, at most {limits.max_auc:g} allowed"
            if pair
            else "no pair to look at",
        )
    )
    scores |= {name: max(found.alone, found.together) for name, found in told.items()}
    highest = max(scores.values(), default=task.chance)
    headline = f"strongest feature {unit} {highest:.3f}, strongest pair {best:.3f}, at most {limits.max_auc:g} allowed"
    numbers = {f"leakage_feature_{unit}": highest, f"leakage_pair_{unit}": best if pair else None}
    return report_of(checks, numbers, headline=headline, scores=scores)


@dataclass(frozen=True)
class _Looked:
    """The rows that are looked at: what is asked of them, what happened, and each fold's rows."""

    task: Task
    labels: NDArray[Any]
    folds: list[NDArray[np.int64]]
    seed: int

    def score(self, features: Sequence[list[NDArray[np.float64]]]) -> float:
        """Headline of a small tree on features, each row scored by a tree that did not see it; mean over the folds."""
        import numpy as np

        found = []
        for number, fold in enumerate(self.folds):
            matrix = np.column_stack([feature[number] for feature in features])
            others = np.setdiff1d(np.arange(len(self.labels)), fold)
            tree = self.task.tree(self.seed).fit(matrix[others], self.labels[others])
            found.append(self.task.score(self.labels[fold], self.task.ask(tree, matrix[fold])))
        return float(np.mean(found))

    def ranked(self, feature: list[NDArray[np.float64]]) -> float:
        """Headline of a number by its order alone; chance for texts, whose codes know the labels."""
        plain = all(one is feature[0] for one in feature)
        return self.task.association(self.labels, feature[0]) if plain else self.task.chance


def _names(seen: Sequence[str], target: str, limits: LeakageRules) -> list[Check]:
    wanted = _words(target)
    named = [
        name
        for name in seen
        if name not in limits.allow
        and (
            "_".join(_words(name)) in ANSWERS
            or any(_words(name)[at : at + len(wanted)] == wanted for at in range(len(_words(name))))
        )
    ]
    detail = f"{', '.join(named)} carries the target's name ({target}); exclude it, or list it in leakage.allow"
    return [Check("names", not named, detail if named else f"no feature is named after {target}")]


def _overlap(
    training: pd.DataFrame, testing: pd.DataFrame, seen: Sequence[str], target: str, limits: LeakageRules
) -> list[Check]:
    import numpy as np

    equal = float(np.isin(row_hashes(testing), row_hashes(training)).mean())
    alike = [*seen, target]
    shared = float(np.isin(row_hashes(testing[alike]), row_hashes(training[alike])).mean())
    return [
        Check("test rows apart", equal == 0, f"{equal:.1%} of the test rows are training rows, too; none may be"),
        Check(
            "test rows new",
            shared <= limits.max_overlap,
            f"{shared:.1%} of the test rows have a training row's features and answer, "
            f"at most {limits.max_overlap:.1%} allowed",
        ),
    ]


def _single(scores: Mapping[str, float], sample: pd.DataFrame, looked: _Looked, limits: LeakageRules) -> list[Check]:
    ranked, unit = sorted(scores, key=lambda name: -scores[name]), looked.task.headline
    copies = [name for name in ranked if looked.task.copies(sample[name], looked.labels)]
    top = ", ".join(f"{name} {scores[name]:.3f}" for name in ranked[:SHOWN])
    over = [f"{name} alone reaches {unit} {scores[name]:.3f}" for name in ranked if scores[name] > limits.max_auc]
    checks = [
        Check("no copy of the target", not copies, f"{', '.join(copies)} repeats the target" if copies else "none"),
        Check(
            "no feature holds the answer",
            not over,
            (f"{', '.join(over)}" if over else f"{unit} of the strongest: {top}")
            + f", at most {limits.max_auc:g} allowed",
        ),
    ]
    if len(ranked) > 1:
        first, second = scores[ranked[0]], scores[ranked[1]]
        stands_out = first > limits.jump_auc and first - second > limits.max_jump
        detail = f"{ranked[0]} {first:.3f}, next {ranked[1]} {second:.3f}"
        limit = f"above {limits.jump_auc:g} at most {limits.max_jump:g} apart"
        checks.append(Check("no feature stands out", not stands_out, f"{unit} {detail}; {limit}"))
    return checks


def _strongest_pair(
    coded: Mapping[str, list[NDArray[np.float64]]],
    scores: Mapping[str, float],
    looked: _Looked,
    limits: LeakageRules,
) -> tuple[tuple[str, str] | None, float]:
    """Find the two features, neither of them a leak alone, that know most together.

    By a tree, their sum, difference, product or ratio.
    """
    import numpy as np

    names = sorted((name for name in coded if scores[name] <= limits.max_auc), key=lambda name: -scores[name])
    best: tuple[tuple[str, str] | None, float] = (None, looked.task.chance)
    for left, right in combinations(names[: limits.max_features], 2):
        with np.errstate(divide="ignore", invalid="ignore"):
            # A text of several classes has a number for each: combined are those of one class.
            made = [
                combine
                for a, b in [(coded[left][0], coded[right][0])]
                if a.ndim == b.ndim
                for combine in (a - b, a + b, a * b, np.nan_to_num(a / b, nan=0.0, posinf=1e12, neginf=-1e12))
            ]
        flat = (
            [values[:, place] for values in made for place in range(values.shape[1])]
            if made and made[0].ndim > 1
            else made
        )
        found = [looked.task.association(looked.labels, values) for values in flat]
        found.append(looked.score([coded[left], coded[right]]))
        if max(found) > best[1]:
            best = ((left, right), max(found))
    return best


def _folds(strata: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """Deal the rows of each of the strata to the folds; gives each fold's rows."""
    import numpy as np

    random = np.random.default_rng(seed)
    dealt = np.empty(len(strata), dtype="int64")
    for value in np.unique(strata):
        rows = random.permutation(np.flatnonzero(strata == value))
        dealt[rows] = np.arange(len(rows)) % FOLDS
    return [np.flatnonzero(dealt == fold) for fold in range(FOLDS)]


def _coded(
    column: pd.Series[object], encoded: NDArray[np.float64], folds: list[NDArray[np.int64]]
) -> list[NDArray[np.float64]]:
    """Turn a feature into numbers, one version a fold: texts become what their rows of the other folds come to.

    Args:
        column: The feature.
        encoded: Shape (rows, outputs), the labels (`Task.encoded`).
        folds: Each fold's rows.

    Returns:
        By fold: shape (rows,), for texts of several outputs (rows, outputs).
    """
    import numpy as np

    if not texts(column.to_frame()):
        values = column.astype("float64")
        # A missing value is an answer of its own: it can leak, too.
        filled = values.fillna(values.min() - 1 if values.notna().any() else 0.0).to_numpy()
        return [filled] * len(folds)
    words = column.fillna("\x00").astype(str)
    versions = []
    for fold in folds:
        others = np.setdiff1d(np.arange(len(encoded)), fold)
        base = encoded[others].mean(axis=0)
        # Five imagined rows of the average: a rare text does not look certain.
        shares = {
            text: (rows.sum(axis=0) + 5 * base) / (len(rows) + 5)
            for text, rows in _by_text(words.to_numpy()[others], encoded[others])
        }
        made = np.array([shares.get(text, base) for text in words], dtype="float64")
        versions.append(made[:, 0] if made.shape[1] == 1 else made)
    return versions


def _by_text(texts: NDArray[np.object_], encoded: NDArray[np.float64]) -> list[tuple[str, NDArray[np.float64]]]:
    import pandas as pd

    return [(str(text), encoded[rows]) for text, rows in pd.Series(texts).groupby(texts).indices.items()]


def _words(name: str) -> list[str]:
    """Split a column's name at signs, capitals and digits, in lower case."""
    return re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
