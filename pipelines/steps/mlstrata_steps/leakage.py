"""A gate before training: does a feature already hold the answer, or do test rows sit among the training rows?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from mlstrata_steps.columns import Columns, feature_frame, texts
from mlstrata_steps.intervals import auc
from mlstrata_steps.outcome import Check, report_of
from mlstrata_steps.rules import parsed
from mlstrata_steps.tables import positives, read_table, row_hashes

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
        max_auc: Largest cross-validated AUC of one feature, or of two together: above it, it is the answer itself.
        jump_auc: AUC of a feature from which it must not stand far above the others.
        max_jump: How far, in AUC, it may stand above the next feature then.
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
        A gate's report (`outcome.report_of`) with `auc`: feature to its cross-validated AUC.

    Raises:
        StepError: A role or rule is malformed.
    """
    import numpy as np

    training, testing = read_table(train), read_table(test)
    roles, limits = Columns.parse(columns), LeakageRules.parse(rules)
    seen = roles.seen(list(training.columns))
    checks = [*_names(seen, roles.target, limits), *_overlap(training, testing, seen, roles.target, limits)]
    chosen = np.random.default_rng(seed).permutation(len(training))[: limits.max_rows]
    sample = training.iloc[chosen].reset_index(drop=True)
    labels = positives(sample[roles.target], roles.positive).astype("int64")
    folds = _folds(labels, seed)
    asked = [name for name in seen if name not in limits.allow]
    coded = {name: _coded(feature_frame(sample, [name])[name], labels, folds) for name in asked}
    scores = {name: max(_score([coded[name]], labels, folds, seed), _ranked(coded[name], labels)) for name in asked}
    checks += _single(scores, sample, labels, limits)
    pair, best = _strongest_pair(coded, scores, labels, folds, limits, seed)
    checks.append(
        Check(
            "no two features hold the answer",
            best <= limits.max_auc,
            f"{' and '.join(pair)} together reach auc {best:.3f}, at most {limits.max_auc:g} allowed"
            if pair
            else "no pair to look at",
        )
    )
    highest = max(scores.values(), default=0.5)
    headline = f"strongest feature auc {highest:.3f}, strongest pair {best:.3f}, at most {limits.max_auc:g} allowed"
    numbers = {"leakage_feature_auc": highest, "leakage_pair_auc": best if pair else None}
    return report_of(checks, numbers, headline=headline, auc=scores)


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


def _single(
    scores: Mapping[str, float], sample: pd.DataFrame, labels: NDArray[np.int64], limits: LeakageRules
) -> list[Check]:
    import pandas as pd

    ranked = sorted(scores, key=lambda name: -scores[name])
    copies = []
    for name in ranked:
        table = pd.crosstab(sample[name].astype("string").fillna(""), labels)
        if table.shape == (2, 2) and bool(((table > 0).sum(axis=1) == 1).all()):
            copies.append(name)
    top = ", ".join(f"{name} {scores[name]:.3f}" for name in ranked[:SHOWN])
    over = [f"{name} alone reaches auc {scores[name]:.3f}" for name in ranked if scores[name] > limits.max_auc]
    checks = [
        Check("no copy of the target", not copies, f"{', '.join(copies)} repeats the target" if copies else "none"),
        Check(
            "no feature holds the answer",
            not over,
            (f"{', '.join(over)}" if over else f"auc of the strongest: {top}")
            + f", at most {limits.max_auc:g} allowed",
        ),
    ]
    if len(ranked) > 1:
        first, second = scores[ranked[0]], scores[ranked[1]]
        stands_out = first > limits.jump_auc and first - second > limits.max_jump
        detail = f"{ranked[0]} {first:.3f}, next {ranked[1]} {second:.3f}"
        limit = f"above {limits.jump_auc:g} at most {limits.max_jump:g} apart"
        checks.append(Check("no feature stands out", not stands_out, f"auc {detail}; {limit}"))
    return checks


def _strongest_pair(  # noqa: PLR0917 - one call, from the function above it
    coded: Mapping[str, list[NDArray[np.float64]]],
    scores: Mapping[str, float],
    labels: NDArray[np.int64],
    folds: list[NDArray[np.int64]],
    limits: LeakageRules,
    seed: int,
) -> tuple[tuple[str, str] | None, float]:
    """Find the two features, neither of them a leak alone, that know most together: by a tree, difference or ratio."""
    import numpy as np

    names = sorted((name for name in coded if scores[name] <= limits.max_auc), key=lambda name: -scores[name])
    best: tuple[tuple[str, str] | None, float] = (None, 0.5)
    for left, right in combinations(names[: limits.max_features], 2):
        with np.errstate(divide="ignore", invalid="ignore"):
            made = [
                combine
                for a, b in [(coded[left][0], coded[right][0])]
                for combine in (a - b, a + b, np.nan_to_num(a / b, nan=0.0, posinf=1e12, neginf=-1e12))
            ]
        found = [abs(auc(labels, values) - 0.5) + 0.5 for values in made]
        found.append(_score([coded[left], coded[right]], labels, folds, seed))
        if max(found) > best[1]:
            best = ((left, right), max(found))
    return best


def _folds(labels: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """Deal the rows of each class to the folds; gives each fold's rows."""
    import numpy as np

    random = np.random.default_rng(seed)
    dealt = np.empty(len(labels), dtype="int64")
    for value in (0, 1):
        rows = random.permutation(np.flatnonzero(labels == value))
        dealt[rows] = np.arange(len(rows)) % FOLDS
    return [np.flatnonzero(dealt == fold) for fold in range(FOLDS)]


def _coded(
    column: pd.Series[object], labels: NDArray[np.int64], folds: list[NDArray[np.int64]]
) -> list[NDArray[np.float64]]:
    """Turn a feature into numbers, one version a fold: texts become their share of positives in the other folds."""
    import numpy as np

    if not texts(column.to_frame()):
        values = column.astype("float64")
        # A missing value is an answer of its own: it can leak, too.
        filled = values.fillna(values.min() - 1 if values.notna().any() else 0.0).to_numpy()
        return [filled] * len(folds)
    words = column.fillna("\x00").astype(str)
    versions = []
    for fold in folds:
        others = np.setdiff1d(np.arange(len(labels)), fold)
        base = labels[others].mean()
        grouped = {text: (rows.sum(), len(rows)) for text, rows in _by_text(words.to_numpy()[others], labels[others])}
        # Five imagined rows of the base rate: a rare text does not look certain.
        shares = {text: (events + 5 * base) / (rows + 5) for text, (events, rows) in grouped.items()}
        versions.append(np.array([shares.get(text, base) for text in words], dtype="float64"))
    return versions


def _by_text(texts: NDArray[np.object_], labels: NDArray[np.int64]) -> list[tuple[str, NDArray[np.int64]]]:
    import pandas as pd

    return [(str(text), labels[rows]) for text, rows in pd.Series(texts).groupby(texts).indices.items()]


def _score(
    features: Sequence[list[NDArray[np.float64]]], labels: NDArray[np.int64], folds: list[NDArray[np.int64]], seed: int
) -> float:
    """AUC of a small tree on features, each row scored by a tree that did not see it; the mean over the folds."""
    import numpy as np
    from sklearn.tree import DecisionTreeClassifier

    found = []
    for number, fold in enumerate(folds):
        matrix = np.column_stack([feature[number] for feature in features])
        others = np.setdiff1d(np.arange(len(labels)), fold)
        tree = DecisionTreeClassifier(max_depth=4, min_samples_leaf=10, random_state=seed)
        tree.fit(matrix[others], labels[others])
        found.append(auc(labels[fold], tree.predict_proba(matrix[fold])[:, 1]))
    return float(np.mean(found))


def _ranked(feature: list[NDArray[np.float64]], labels: NDArray[np.int64]) -> float:
    """AUC of a number by its order alone, in either direction; 0.5 for texts, whose codes know the labels."""
    return abs(auc(labels, feature[0]) - 0.5) + 0.5 if all(one is feature[0] for one in feature) else 0.5


def _words(name: str) -> list[str]:
    """Split a column's name at signs, capitals and digits, in lower case."""
    return re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
