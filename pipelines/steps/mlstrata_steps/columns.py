"""Which columns a model sees: the target, the protected ones and the excluded ones never are among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mlstrata_steps.outcome import StepError
from mlstrata_steps.tables import kind_of

if TYPE_CHECKING:
    import pandas as pd

TASKS = ("classification", "regression")
TEXT_LENGTH = 5000
"""Characters of a free text: two pages, and a thousand of them in a request are still a few megabytes."""
BETTER = ("higher", "lower")


@dataclass(frozen=True)
class Columns:
    """The roles of a table's columns.

    Attributes:
        target: What is predicted.
        positive: The target's value whose probability the model gives; empty: 1 where the target has two values, and
            none where it has more (`tasks.task_of`).
        features: What the model sees; empty means every column without another role.
        protected: Kept for fairness measurements only, never shown to a model.
        exclude: Never shown to a model.
        task: One of `TASKS`.
        threshold: Probability from which a label of two classes is positive; None: 0.5.
        quantile: Which one of what may happen a regression predicts; 0.5 is the median.
        metrics: Own figures by name (`own_metrics`): `function`, as `package.module:function`, `@` and the version of
            its code, and `better`, one of `BETTER`.
        texts: Features that are free text, whose words are learnt, where the texts of others are categories.
        text_length: Characters that one of these may have.
    """

    target: str
    positive: str = ""
    features: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    task: str = "classification"
    threshold: float | None = None
    quantile: float = 0.5
    metrics: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    text_length: int = TEXT_LENGTH

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> Columns:
        """Read the roles from plain JSON values.

        Raises:
            StepError: A role is missing, unknown or of the wrong type, or a feature has a second role.
        """
        unknown = sorted(set(document) - set(cls.__dataclass_fields__))
        if unknown:
            raise StepError(f"columns: unknown role {unknown[0]!r}; allowed {', '.join(cls.__dataclass_fields__)}")
        if not isinstance(document.get("target"), str) or not document["target"]:
            raise StepError(f"columns.target: got {document.get('target')!r}; it must be a name")
        positive, task = document.get("positive", ""), document.get("task", TASKS[0])
        if not isinstance(positive, str):
            raise StepError(f"columns.positive: got {positive!r}; it must be a text")
        if task not in TASKS:
            raise StepError(f"columns.task: got {task!r}; allowed {', '.join(TASKS)}")
        lists = {name: _names(name, document.get(name)) for name in ("features", "protected", "exclude", "texts")}
        shares = {
            name: _share(name, document[name]) for name in ("threshold", "quantile") if document.get(name) is not None
        }
        metrics = _metrics(document.get("metrics") or {})
        others: dict[str, Any] = {**lists, **shares, "metrics": metrics}
        longest = _length(document.get("text_length", TEXT_LENGTH))
        roles = cls(target=str(document["target"]), positive=positive, task=str(task), text_length=longest, **others)
        hidden = {roles.target, *roles.protected, *roles.exclude}
        if unseen := [name for name in roles.texts if name in hidden]:
            raise StepError(f"columns.texts: {unseen[0]!r} is the target, protected or excluded: no model may see it")
        twice = [name for name in roles.features if name in hidden]
        if twice:
            raise StepError(f"columns.features: {twice[0]!r} is the target, protected or excluded: no model may see it")
        return roles

    def document(self) -> dict[str, object]:
        """Give the roles as plain JSON values."""
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: value for name, value in found.items() if value is not None}

    def missing(self, available: Sequence[str]) -> list[str]:
        """List named columns that the data does not have."""
        named = (self.target, *self.features, *self.protected, *self.texts)
        return [name for name in named if name not in available]

    def seen(self, available: Sequence[str]) -> tuple[str, ...]:
        """List the columns that the model sees, in the data's order."""
        hidden = {self.target, *self.protected, *self.exclude}
        chosen = set(self.features) or set(available)
        return tuple(name for name in available if name in chosen and name not in hidden)


def feature_frame(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Select features as the types a model meets in serving: int64, float64, bool and object.

    Texts are objects, and so are Booleans with gaps: True, False and None.

    Args:
        table: A canonical table.
        names: The features, in the order the model signs.

    Raises:
        StepError: One of them holds dates, which no model here takes as they are.
    """
    import pandas as pd

    columns: dict[str, pd.Series[object]] = {}
    for name in names:
        column = table[name]
        kind, gaps = kind_of(column), bool(column.isna().any())
        if kind in {"date", "time"}:
            raise StepError(dated(name, column))
        if kind == "string" or (kind == "boolean" and gaps):
            columns[name] = column.astype(object).where(column.notna(), None)
        elif kind == "number" or gaps:
            columns[name] = column.astype("Float64").astype("float64")
        else:
            columns[name] = column.astype("int64" if kind == "integer" else "bool")
    return pd.DataFrame(columns, index=table.index)


def dated(name: str, column: pd.Series[object]) -> str:
    """Say that a feature holds dates, and what to do."""
    known = column.dropna()
    shown = f", such as {str(known.iloc[0]).removesuffix(' 00:00:00')}," if len(known) else ""
    return (
        f"column {name} holds dates{shown} in {len(known)} rows: no two rows of tomorrow repeat them; put it into "
        "model.exclude, or compute numbers of it in the source, such as a weekday or an age in days"
    )


def texts(features: pd.DataFrame) -> list[str]:
    """List the features that are texts; the other objects are Booleans with gaps."""
    from pandas.api.types import infer_dtype

    return [
        str(name)
        for name in features.columns
        if features[name].dtype == object and infer_dtype(features[name], skipna=True) != "boolean"
    ]


def _share(role: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise StepError(f"columns.{role}: got {value!r}; allowed a number between 0 and 1")
    return float(value)


def _length(value: object) -> int:
    # Kubeflow's structures turn every number into a float.
    whole = isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
    if not whole or float(str(value)) < 1:
        raise StepError(f"columns.text_length: got {value!r}; allowed a whole number from 1")
    return int(float(str(value)))


def _metrics(declared: object) -> dict[str, Mapping[str, str]]:
    if not isinstance(declared, Mapping):
        raise StepError(f"columns.metrics: got {declared!r}; it must be a mapping")
    for name, one in declared.items():
        fits = isinstance(one, Mapping) and ":" in str(one.get("function")) and one.get("better") in BETTER
        if not fits:
            wanted = f"function: PACKAGE.MODULE:FUNCTION, better: {' or '.join(BETTER)}"
            raise StepError(f"columns.metrics.{name}: got {one!r}; needed {wanted}")
    return {str(name): {key: str(one[key]) for key in ("function", "better")} for name, one in declared.items()}


def _names(role: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        raise StepError(f"columns.{role}: got {value!r}; it must be a list of names")
    return tuple(value)
