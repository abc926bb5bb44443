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
IMAGE_BYTES = 2**18
"""Bytes of an image: a quarter of a mebibyte is a photo of 1,000 pixels a side as JPEG, and four make a megabyte."""
BETTER = ("higher", "lower")
LISTS = ("features", "protected", "exclude", "texts", "images")
OWN = ("target", "task", "positive", "threshold", "quantile", "interval")
"""What each of several answers has of its own."""


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
        interval: Share of cases, 0 to 1, whose true number lies in the interval that a regression gives; None: it gives
            none.
        metrics: Own figures by name (`own_metrics`): `function`, as `package.module:function`, `@` and the version of
            its code, and `better`, one of `BETTER`.
        texts: Features that are free text, whose words are learnt, where the texts of others are categories.
        text_length: Characters that one of these may have.
        images: Features that are images: files in base64 (`pictures`).
        image_bytes: Bytes that one of these may have.
        outputs: Where several things are predicted, each by its name: the roles of `OWN` that are its own. Then there
            is no `target`, and a step that knows of one answer alone finds none (`of` gives the roles of one).
        output: The name of this one, where these are the roles of one of several.
    """

    target: str = ""
    positive: str = ""
    features: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    task: str = "classification"
    threshold: float | None = None
    quantile: float = 0.5
    interval: float | None = None
    metrics: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    text_length: int = TEXT_LENGTH
    images: tuple[str, ...] = ()
    image_bytes: int = IMAGE_BYTES
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    output: str = ""

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> Columns:
        """Read the roles from plain JSON values.

        Raises:
            StepError: A role is missing, unknown or of the wrong type, or a feature has a second role.
        """
        unknown = sorted(set(document) - set(cls.__dataclass_fields__))
        if unknown:
            raise StepError(f"columns: unknown role {unknown[0]!r}; allowed {', '.join(cls.__dataclass_fields__)}")
        outputs, output = _outputs(document.get("outputs") or {}), str(document.get("output") or "")
        target = document.get("target", "")
        if outputs and target:
            raise StepError(f"columns.target: got {target!r} beside outputs; each of these has its own")
        if not outputs and not (isinstance(target, str) and target):
            raise StepError(f"columns.target: got {document.get('target')!r}; it must be a name")
        positive, task = document.get("positive", ""), document.get("task", TASKS[0])
        if not isinstance(positive, str):
            raise StepError(f"columns.positive: got {positive!r}; it must be a text")
        if task not in TASKS:
            raise StepError(f"columns.task: got {task!r}; allowed {', '.join(TASKS)}")
        lists = {
            name: _names(name, document.get(name)) for name in ("features", "protected", "exclude", "texts", "images")
        }
        named = [name for name in ("threshold", "quantile", "interval") if document.get(name) is not None]
        shares = {name: _share(name, document[name]) for name in named}
        metrics = _metrics(document.get("metrics") or {})
        others: dict[str, Any] = {**lists, **shares, "metrics": metrics, "outputs": outputs, "output": output}
        for name, usual in (("text_length", TEXT_LENGTH), ("image_bytes", IMAGE_BYTES)):
            others[name] = _length(name, document.get(name, usual))
        roles = cls(target=str(target), positive=positive, task=str(task), **others)
        roles._check()
        return roles

    def _check(self) -> None:
        """Refuse a column of two roles.

        Raises:
            StepError: There is one.
        """
        for name in self.names:
            self.of(name)
        hidden = {*self.targets, *self.protected, *self.exclude}
        for role in ("features", "texts", "images"):
            if unseen := [name for name in getattr(self, role) if name in hidden]:
                what = "is the target, protected or excluded: no model may see it"
                raise StepError(f"columns.{role}: {unseen[0]!r} {what}")
        if both := [name for name in self.images if name in self.texts]:
            raise StepError(f"columns.images: {both[0]!r} is one of texts, too")

    def document(self) -> dict[str, object]:
        """Give the roles as plain JSON values."""
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        # A single answer's roles are written as they were before there were several.
        empty = {name for name in ("outputs", "output", "images") if not found[name]}
        empty |= set() if self.images else {"image_bytes"}
        return {name: value for name, value in found.items() if value is not None and name not in empty}

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of several answers, in their order; empty: there is one, without a name."""
        return tuple(sorted(self.outputs))

    @property
    def targets(self) -> tuple[str, ...]:
        """Return every column that is predicted."""
        return tuple(str(self.outputs[name]["target"]) for name in self.names) or (self.target,)

    def of(self, name: str) -> Columns:
        """Give the roles of one of several answers: the targets of the others are hidden from its model, too."""
        own = {key: value for key, value in self.outputs[name].items() if key in OWN}
        others = [target for target in self.targets if target != own["target"]]
        shared = {key: value for key, value in self.document().items() if key not in {*OWN, "outputs"}}
        hidden = list(dict.fromkeys([*self.exclude, *others]))
        return Columns.parse({**shared, **own, "exclude": hidden, "output": name})

    def missing(self, available: Sequence[str]) -> list[str]:
        """List named columns that the data does not have."""
        named = (*self.targets, *self.features, *self.protected, *self.texts, *self.images)
        return [name for name in named if name not in available]

    def seen(self, available: Sequence[str]) -> tuple[str, ...]:
        """List the columns that the model sees, in the data's order."""
        hidden = {*self.targets, *self.protected, *self.exclude}
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


def _length(role: str, value: object) -> int:
    # Kubeflow's structures turn every number into a float.
    whole = isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
    if not whole or float(str(value)) < 1:
        raise StepError(f"columns.{role}: got {value!r}; allowed a whole number from 1")
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


def _outputs(declared: object) -> dict[str, Mapping[str, Any]]:
    if not isinstance(declared, Mapping):
        raise StepError(f"columns.outputs: got {declared!r}; it must be a mapping of name to roles")
    found: dict[str, Mapping[str, Any]] = {}
    for name, one in declared.items():
        fits = isinstance(one, Mapping) and isinstance(one.get("target"), str) and one["target"]
        if not fits or (odd := sorted(set(one) - {*OWN, "algorithm"})):
            wanted = f"target and, where it needs them, {', '.join((*OWN[1:], 'algorithm'))}"
            raise StepError(f"columns.outputs.{name}: got {odd[0] if fits else one!r}; needed {wanted}")
        found[str(name)] = dict(one)
    targets = [one["target"] for one in found.values()]
    if twice := [target for target in targets if targets.count(target) > 1]:
        raise StepError(f"columns.outputs: {twice[0]!r} is the target of two; each has a column of its own")
    return found


def _names(role: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        raise StepError(f"columns.{role}: got {value!r}; it must be a list of names")
    return tuple(value)
