"""One of several classes: a probability for each, and the likeliest as the label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlstrata_steps.outcome import Check
from mlstrata_steps.tables import KINDS, kind_of
from mlstrata_steps.tasks import metrics as measured
from mlstrata_steps.tasks import rates
from mlstrata_steps.tasks.base import CLASSIFIER, Gap, Task
from mlstrata_steps.tasks.binary import balance, in_range, one_to_one, small_tree, spread, spreads
from mlstrata_steps.tasks.metrics import Counts, Metric, named
from mlstrata_steps.tasks.output import MULTICLASS, Classes, Output

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from mlstrata_steps.quality import QualityRules
    from mlstrata_steps.tasks.base import Labels, Said

MOST = 50
"""Classes that are told apart: an answer names each with its probability."""
_SHOWN = 8
_ROUNDING = 1e-6


def classes_of(column: pd.Series[object]) -> tuple[str, ...]:
    """List a target's values in their own order, as texts."""
    values = column.astype(KINDS[kind_of(column)]).dropna().unique()
    return tuple(str(value) for value in sorted(values))


class MultiClass(Task):
    """Three classes or more; `labels` are their places in `classes`, `said` a probability for each."""

    name, learns, headline, loss, chance = MULTICLASS, CLASSIFIER, "auc", "log_loss", 0.5
    answer, grouped = "probabilities", "said are "
    fairness = rates.METRICS

    def __init__(self, classes: Sequence[str]) -> None:
        """Ask which of `classes` it is."""
        self.classes = tuple(classes)

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """Return what is measured, by name; what is of one class is the mean over the classes, each against the rest.

        `accuracy` is of the labels, `log_loss` of the right class, and `brier` the squared distance summed over the
        classes, as Brier (1950) has it: 0 to 2.
        """

        def each(measure: Callable[[Any, Any], float]) -> Callable[[Any, Any], float]:
            return lambda labels, said: _mean(
                measure((labels == place).astype("int64"), said[:, place]) for place in self._places
            )

        def counted(measure: Callable[[Counts], float]) -> Callable[[Any, Any], float]:
            def mean(labels: Any, said: Any) -> float:
                likeliest = said.argmax(axis=1)
                return _mean(measure(Counts.of(labels == place, likeliest == place)) for place in self._places)

            return mean

        def accuracy(labels: Any, said: Any) -> float:
            return float((said.argmax(axis=1) == labels).mean())

        def log_loss(labels: Any, said: Any) -> float:
            import numpy as np

            right = np.clip(said[np.arange(len(labels)), labels], 1e-15, 1.0)
            return float(-np.log(right).mean())

        def brier(labels: Any, said: Any) -> float:
            return float(((said - self.encoded(labels)) ** 2).sum(axis=1).mean())

        return named(
            {
                "auc": each(measured.auc),
                "pr_auc": each(measured.pr_auc),
                "accuracy": accuracy,
                "balanced_accuracy": counted(lambda one: one.recall),
                "precision": counted(lambda one: one.precision),
                "recall": counted(lambda one: one.recall),
                "f1": counted(lambda one: one.f1),
                "specificity": counted(lambda one: one.specificity),
                "log_loss": log_loss,
                "brier": brier,
            }
        )

    @property
    def _places(self) -> range:
        return range(len(self.classes))

    def target(self, column: pd.Series[object], limits: QualityRules) -> list[Check]:
        """Check that there are no more classes than can be told apart, and enough rows of each."""
        counted = column.value_counts()
        shown = ", ".join(self.classes[:_SHOWN]) + (", …" if len(self.classes) > _SHOWN else "")
        detail, gone = f"{column.name} holds {len(self.classes)} classes: {shown}", int(column.isna().sum())
        if gone:
            detail += f"; it is missing in {gone} row{'s' if gone > 1 else ''}; fill it, or remove them"
        if len(self.classes) > MOST:
            number = kind_of(column) in {"integer", "number"}
            fix = "for a number write task: regression" if number else "group them in the source"
            detail += f"; at most {MOST} are told apart; {fix}"
        checks = [Check("target", not gone and len(self.classes) <= MOST, detail)]
        if checks[0].passed:
            rarest, rows = str(counted.index[-1]), int(counted.iloc[-1])
            checks.append(balance(f"the rarest class, {rarest}, has {rows} rows", rows, len(column), limits))
        return checks

    def labels(self, column: pd.Series[object]) -> Labels:
        """Read the place of each row's class; a class that training has not seen is -1."""
        places = {name: place for place, name in enumerate(self.classes)}
        texts = column.astype(KINDS[kind_of(column)]).map(str)
        return texts.map(lambda text: places.get(text, -1)).to_numpy(dtype="int64")

    def strata(self, labels: Labels) -> NDArray[np.int64]:
        """Number the classes."""
        return labels

    def resampled(self, labels: Labels) -> NDArray[np.int64]:
        """Number the classes: a resample without one would have no AUC."""
        return labels

    def ask(self, model: Any, features: pd.DataFrame) -> Said:
        """Ask for the probability of each class: shape (rows, classes)."""
        import numpy as np

        return np.asarray(model.predict_proba(features), dtype="float64")

    def given(self, output: Output, answer: Any) -> Said:
        """Read probabilities, brought into the order of these classes."""
        if not isinstance(output, Classes) or set(output.classes) != set(self.classes):
            raise ValueError(f"it answers {output.task}, or of other classes")
        return output.read(answer, len(answer))[:, [output.classes.index(name) for name in self.classes]]

    def predicted(self, prediction: Mapping[str, Any]) -> list[float]:
        """Read the probabilities."""
        found = prediction.get("probabilities") or {}
        return [float(found.get(name, "nan")) for name in self.classes]

    def answers(self, labels: Labels) -> dict[str, Any]:
        """Give the share of each class."""
        return {"shares": [float((labels == place).mean()) for place in self._places]}

    def constant(self, answers: Mapping[str, Any], rows: int, metric: str) -> Said:  # noqa: ARG002 - of the contract
        """Say the shares of the classes of everyone."""
        import numpy as np

        return np.tile(np.asarray(answers["shares"], dtype="float64"), (rows, 1))

    def in_words(self, answers: Mapping[str, Any]) -> str:
        """Say what is said of everyone."""
        shares = zip(self.classes, answers["shares"], strict=True)
        name, share = max(shares, key=lambda one: one[1])
        return f"the shares of the classes, {name} {share:.1%} first,"

    def output(self, answers: Mapping[str, Any]) -> Output:  # noqa: ARG002 - of the contract
        """Give a probability for each class, and the likeliest."""
        return Classes(self.classes)

    def shown(self, labels: Labels, said: Said) -> dict[str, Any]:
        """Give the classes, how often each was said of which, and the range of the probabilities."""
        likeliest = said.argmax(axis=1)
        return {
            "classes": list(self.classes),
            "confusion": [
                [int(((labels == real) & (likeliest == told)).sum()) for told in self._places] for real in self._places
            ],
            "probabilities": spread(said),
        }

    def groups(self, codes: NDArray[np.object_], labels: Labels, said: Said) -> dict[str, dict[str, Any]]:
        """Give each group's share of right labels, and its rates class by class."""
        likeliest = said.argmax(axis=1)
        by_class = {
            name: rates.groups(codes, (labels == place).astype("int64"), likeliest == place)
            for place, name in enumerate(self.classes)
        }
        return {
            str(group): {
                "rows": int((codes == group).sum()),
                "accuracy": float((likeliest == labels)[codes == group].mean()),
                "classes": {name: found[str(group)] for name, found in by_class.items()},
            }
            for group in sorted(set(codes))
        }

    def gap(
        self, codes: NDArray[np.object_], labels: Labels, said: Said, metric: str, *, seed: int = 0, resamples: int = 0
    ) -> Gap | None:
        """Measure the largest difference of rates of any class."""
        likeliest = said.argmax(axis=1)
        found = []
        for place, name in enumerate(self.classes):
            labelled = (labels == place).astype("int64")
            one = rates.gap(codes, labelled, likeliest == place, metric, seed=seed, resamples=resamples)
            if one is not None:
                found.append(Gap(one.value, one.low, one.high, f"class {name}"))
        return max(found, key=lambda gap: gap.value, default=None)

    def group_in_words(self, figures: Mapping[str, Any], metric: str) -> str:  # noqa: ARG002 - of the contract
        """Say how often each class is said."""
        said = (f"{name} {one['positive_rate']:.1%}" for name, one in figures["classes"].items())
        return f"{', '.join(said)} of {figures['rows']}"

    def unmeasurable(self, said: Said) -> str:
        """Say that everybody gets the same label."""
        likeliest = set(said.argmax(axis=1).tolist())
        if len(likeliest) == 1:
            return f"everybody is said to be {self.classes[likeliest.pop()]}"
        return ""

    def plausible(self, said: Said, answers: Mapping[str, Any]) -> list[Check]:  # noqa: ARG002 - of the contract
        """Check that numbers are probabilities, sum to 1, are not the same for everyone, and that each class is said.

        A class that is never the likeliest is one that callers never meet, whatever its probabilities rank like.
        """
        sums, told = said.sum(axis=1), set(said.argmax(axis=1).tolist())
        one = bool((abs(sums - 1) < _ROUNDING).all())
        never = [name for place, name in enumerate(self.classes) if place not in told]
        detail = f"never said of {len(said)} rows: {', '.join(never)}" if never else f"all {len(self.classes)} are said"
        return [
            in_range(said),
            Check("probabilities sum to 1", one, f"{sums.min():g} to {sums.max():g}"),
            spreads(said),
            Check("every class is said", not never, detail),
        ]

    def scale(self, answers: Mapping[str, Any]) -> float:  # noqa: ARG002 - of the contract
        """Return 1: probabilities have a scale of their own."""
        return 1.0

    def encoded(self, labels: Labels) -> NDArray[np.float64]:
        """Write a column a class: means are shares."""
        import numpy as np

        return (labels[:, None] == np.arange(len(self.classes))).astype("float64")

    def association(self, labels: Labels, values: NDArray[np.float64]) -> float:
        """AUC of the order in either direction, the mean over the classes."""
        return _mean(abs(measured.auc((labels == place).astype("int64"), values) - 0.5) + 0.5 for place in self._places)

    def copies(self, column: pd.Series[object], labels: Labels) -> bool:
        """Say whether its values stand for the classes one to one."""
        return one_to_one(column, labels, len(self.classes))

    def tree(self, seed: int) -> Any:
        """Make a small tree."""
        return small_tree(seed)


def _mean(values: Any) -> float:
    found = list(values)
    return float(sum(found) / len(found))
