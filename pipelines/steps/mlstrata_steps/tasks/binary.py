"""Yes or no: the probability of one of two classes, and a label from a threshold on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlstrata_steps.curves import calibration, roc
from mlstrata_steps.outcome import Check
from mlstrata_steps.tables import positives
from mlstrata_steps.tasks import metrics as measured
from mlstrata_steps.tasks import rates
from mlstrata_steps.tasks.base import CLASSIFIER, Gap, Task
from mlstrata_steps.tasks.metrics import Counts, Metric, named
from mlstrata_steps.tasks.output import BINARY, THRESHOLD, Output, Probability

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from mlstrata_steps.quality import QualityRules
    from mlstrata_steps.tasks.base import Labels, Said

LEAST_SPREAD = 0.01
"""Standard deviation of the probabilities below which a model says nearly the same of everyone."""
_TWO, _SHOWN = 2, 5


class Binary(Task):
    """Two classes; `labels` are 1 for the positive one, `said` its probability."""

    name, learns, headline, loss, chance = BINARY, CLASSIFIER, "auc", "log_loss", 0.5
    answer, grouped = "probability", "positive are "
    fairness = rates.METRICS

    def __init__(self, positive: str = "1", threshold: float = THRESHOLD) -> None:
        """Ask for the probability of `positive`, the target's value; from `threshold` on the label is 1."""
        self.positive, self.threshold = positive, threshold

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """Return what is measured, by name."""

        def counts(labels: Any, said: Any) -> Counts:
            return Counts.of(labels == 1, said >= self.threshold)

        return named(
            {
                "auc": measured.auc,
                "pr_auc": measured.pr_auc,
                "accuracy": lambda labels, said: float(((said >= self.threshold) == labels).mean()),
                "balanced_accuracy": lambda labels, said: ((one := counts(labels, said)).recall + one.specificity) / 2,
                "precision": lambda labels, said: counts(labels, said).precision,
                "recall": lambda labels, said: counts(labels, said).recall,
                "f1": lambda labels, said: counts(labels, said).f1,
                "specificity": lambda labels, said: counts(labels, said).specificity,
                "log_loss": measured.log_loss,
                "brier": measured.brier,
            }
        )

    def target(self, column: pd.Series[object], limits: QualityRules) -> list[Check]:
        """Check that there are two classes, one of them the positive one, and enough rows of both."""
        counted = column.value_counts().sort_index()
        values = [str(value) for value in counted.index]
        shown = ", ".join(values[:_SHOWN]) + (", …" if len(values) > _SHOWN else "")
        gone, positive = int(column.isna().sum()), positives(column, self.positive)
        problems = []
        if gone:
            problems.append(f"{column.name} is missing in {gone} row{'s' if gone > 1 else ''}; fill it, or remove them")
        if len(values) != _TWO:
            problems.append(f"needed two values, got {len(values)}")
        elif not positive.any():
            problems.append(f"needed {self.positive!r} as one of them; set model.positive to {' or '.join(values)}")
        checks = [
            Check("target", not problems, f"{column.name} holds {shown}" + "".join(f"; {one}" for one in problems))
        ]
        if not problems:
            rarer = int(min(positive.sum(), (~positive).sum()))
            checks.append(balance(f"the rarer class has {rarer} rows", rarer, len(column), limits))
        return checks

    def labels(self, column: pd.Series[object]) -> Labels:
        """Read 1 for the positive class and 0 for the other."""
        return positives(column, self.positive).astype("int64")

    def strata(self, labels: Labels) -> NDArray[np.int64]:
        """Number the classes."""
        return labels

    def resampled(self, labels: Labels) -> NDArray[np.int64]:
        """Number the classes: a resample without one would have no AUC."""
        return labels

    def ask(self, model: Any, features: pd.DataFrame) -> Said:
        """Ask for probabilities of the positive class: shape (rows,)."""
        import numpy as np

        return np.asarray(model.predict_proba(features)[:, 1], dtype="float64")

    def given(self, output: Output, answer: Any) -> Said:
        """Read probabilities of the positive class; of two columns the last."""
        if output.task != BINARY:
            raise ValueError(f"it answers {output.task}")
        return output.read(answer, len(answer))

    def predicted(self, prediction: Mapping[str, Any]) -> list[float]:
        """Read the probability."""
        return [_number(prediction.get("probability"))]

    def answers(self, labels: Labels) -> dict[str, Any]:
        """Give the share of positives."""
        return {"share": float(labels.mean())}

    def constant(self, answers: Mapping[str, Any], rows: int, metric: str) -> Said:  # noqa: ARG002 - of the contract
        """Say the share of positives of everyone."""
        import numpy as np

        return np.full(rows, float(answers["share"]))

    def in_words(self, answers: Mapping[str, Any]) -> str:
        """Say what is said of everyone."""
        return f"{answers['share']:.1%}"

    def output(self, answers: Mapping[str, Any]) -> Output:  # noqa: ARG002 - of the contract
        """Give one probability, and a label from the threshold on."""
        return Probability(self.threshold)

    def shown(self, labels: Labels, said: Said) -> dict[str, Any]:
        """Give the threshold, the range of the probabilities, and the ROC and calibration curves."""
        return {
            "cut": self.threshold,
            "probabilities": spread(said),
            "roc": roc(labels, said),
            "calibration": calibration(labels, said),
        }

    def groups(self, codes: NDArray[np.object_], labels: Labels, said: Said) -> dict[str, dict[str, Any]]:
        """Give each group's rates."""
        return rates.groups(codes, labels, said >= self.threshold)

    def gap(
        self, codes: NDArray[np.object_], labels: Labels, said: Said, metric: str, *, seed: int = 0, resamples: int = 0
    ) -> Gap | None:
        """Measure the largest difference of rates."""
        return rates.gap(codes, labels, said >= self.threshold, metric, seed=seed, resamples=resamples)

    def group_in_words(self, figures: Mapping[str, Any], metric: str) -> str:
        """Say how many are positive."""
        return rates.in_words(figures, metric)

    def unmeasurable(self, said: Said) -> str:
        """Say that everybody gets the same label."""
        chosen = said >= self.threshold
        if chosen.all() or not chosen.any():
            who = "everybody" if chosen.all() else "nobody"
            return (
                f"{who} is positive at the threshold {self.threshold:g}: probabilities lie between {said.min():.3f} "
                f"and {said.max():.3f}; set model.threshold where labels are to change"
            )
        return ""

    def plausible(self, said: Said, answers: Mapping[str, Any]) -> list[Check]:  # noqa: ARG002 - of the contract
        """Check that numbers are probabilities, and not the same one for everyone."""
        return [in_range(said), spreads(said)]

    def scale(self, answers: Mapping[str, Any]) -> float:  # noqa: ARG002 - of the contract
        """Return 1: probabilities have a scale of their own."""
        return 1.0

    def encoded(self, labels: Labels) -> NDArray[np.float64]:
        """Write 0 and 1: means are shares of positives."""
        return labels.astype("float64")[:, None]

    def association(self, labels: Labels, values: NDArray[np.float64]) -> float:
        """AUC of the order, in either direction."""
        return abs(measured.auc(labels, values) - 0.5) + 0.5

    def copies(self, column: pd.Series[object], labels: Labels) -> bool:
        """Say whether its values stand for the classes one to one."""
        return one_to_one(column, labels, _TWO)

    def tree(self, seed: int) -> Any:
        """Make a small tree."""
        return small_tree(seed)


def balance(what: str, rarer: int, rows: int, limits: QualityRules) -> Check:
    """Check that the rarest class has enough rows."""
    enough = rarer >= limits.min_class_rows and rarer / rows >= limits.min_class_share
    limit = f"at least {limits.min_class_rows} rows and {limits.min_class_share:.1%} needed"
    return Check("class balance", enough, f"{what} ({rarer / rows:.1%}); {limit}")


def in_range(said: Said) -> Check:
    """Check that numbers are probabilities."""
    import numpy as np

    low, high = float(said.min()), float(said.max())
    inside = bool(np.isfinite(said).all() and low >= 0 and high <= 1)
    return Check("probabilities in range", inside, f"{low:.3f} to {high:.3f}, allowed 0 to 1")


def spreads(said: Said) -> Check:
    """Check that probabilities are not the same for everyone: shape (rows,) or (rows, classes)."""
    wide = float(said.std(axis=0).max())
    return Check("probabilities spread", wide >= LEAST_SPREAD, f"spread {wide:.3f}, at least {LEAST_SPREAD} expected")


def spread(said: Said) -> dict[str, float]:
    """Give min, mean, max and standard deviation of numbers."""
    return {"min": float(said.min()), "mean": float(said.mean()), "max": float(said.max()), "spread": float(said.std())}


def one_to_one(column: pd.Series[object], labels: Labels, classes: int) -> bool:
    """Say whether a column has a value for each class, and each only there."""
    import pandas as pd

    table = pd.crosstab(column.astype("string").fillna(""), labels)
    return table.shape == (classes, classes) and bool(((table > 0).sum(axis=1) == 1).all())


def small_tree(seed: int) -> Any:
    """Make a tree that sixteen leaves are enough for."""
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(max_depth=4, min_samples_leaf=10, random_state=seed)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
