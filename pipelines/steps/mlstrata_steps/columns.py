"""Which columns a model sees: the target, the protected ones and the excluded ones never are among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mlstrata_steps.outcome import StepError
from mlstrata_steps.tables import kind_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Columns:
    """The roles of a table's columns.

    Attributes:
        target: What is predicted; two values.
        positive: The target's value whose probability the model gives.
        features: What the model sees; empty means every column without another role.
        protected: Kept for fairness measurements only, never shown to a model.
        exclude: Never shown to a model.
    """

    target: str
    positive: str
    features: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> Columns:
        """Read the roles from plain JSON values.

        Raises:
            StepError: A role is missing, unknown or of the wrong type, or a feature has a second role.
        """
        unknown = sorted(set(document) - set(cls.__dataclass_fields__))
        if unknown:
            raise StepError(f"columns: unknown role {unknown[0]!r}; allowed {', '.join(cls.__dataclass_fields__)}")
        for name in ("target", "positive"):
            if not isinstance(document.get(name), str) or not document[name]:
                raise StepError(f"columns.{name}: got {document.get(name)!r}; it must be a name")
        lists = {name: _names(name, document.get(name)) for name in ("features", "protected", "exclude")}
        roles = cls(target=str(document["target"]), positive=str(document["positive"]), **lists)
        hidden = {roles.target, *roles.protected, *roles.exclude}
        twice = [name for name in roles.features if name in hidden]
        if twice:
            raise StepError(f"columns.features: {twice[0]!r} is the target, protected or excluded: no model may see it")
        return roles

    def document(self) -> dict[str, object]:
        """Give the roles as plain JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def missing(self, available: Sequence[str]) -> list[str]:
        """List named columns that the data does not have."""
        named = (self.target, *self.features, *self.protected)
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


def _names(role: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        raise StepError(f"columns.{role}: got {value!r}; it must be a list of names")
    return tuple(value)
