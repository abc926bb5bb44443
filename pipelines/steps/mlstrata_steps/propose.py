"""Proposes how a file is declared: its format, what each column is, and which hold personal data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata_steps.cells import PLAIN, Format
from mlstrata_steps.columns import dated
from mlstrata_steps.notation import COLUMN, looks_like
from mlstrata_steps.outcome import StepError
from mlstrata_steps.privacy import scan
from mlstrata_steps.source import read_source
from mlstrata_steps.tables import kind_of
from mlstrata_steps.tasks.multiclass import MOST
from mlstrata_steps.tasks.regression import FEW

if TYPE_CHECKING:
    import pandas as pd

_DELIMITERS = (",", ";", "\t", "|")
_ENCODINGS = ("utf-8", "windows-1252", "utf-16")
_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y")
_BINARY = 2


@dataclass(frozen=True)
class Profiled:
    """A column.

    Attributes:
        name: Of the column.
        kind: One of `tables.KINDS`.
        missing: Share of its rows without a value, 0 to 1.
        distinct: Number of its values.
        personal: What personal data it seems to hold; empty: none.
        note: Why it is no feature as it is; empty: it may be one.
    """

    name: str
    kind: str
    missing: float
    distinct: int
    personal: str = ""
    note: str = ""


@dataclass(frozen=True)
class Proposal:
    """How a file is declared.

    Attributes:
        format: What differs from `cells.PLAIN`, as plain JSON values.
        rows: Number of rows.
        columns: In the file's order.
    """

    format: dict[str, object]
    rows: int
    columns: tuple[Profiled, ...]

    @property
    def personal(self) -> list[str]:
        """List columns that seem to hold personal data."""
        return [one.name for one in self.columns if one.personal]

    @property
    def exclude(self) -> list[str]:
        """List columns that are no features as they are."""
        return [one.name for one in self.columns if one.note or one.personal]

    @property
    def targets(self) -> list[str]:
        """List columns that could be predicted: two values, none missing."""
        return [one.name for one in self.columns if one.distinct == _BINARY and not one.missing]

    @property
    def classes(self) -> list[str]:
        """List columns that could be predicted as one of several classes."""
        known = [one for one in self.columns if not one.missing and one.kind in {"string", "integer"} and not one.note]
        return [one.name for one in known if _BINARY < one.distinct <= min(MOST, self.rows // MOST)]

    @property
    def numbers(self) -> list[str]:
        """List columns that could be predicted as a number."""
        known = [one for one in self.columns if not one.missing and one.kind in {"integer", "number"} and not one.note]
        return [one.name for one in known if one.distinct >= FEW]


def propose(file: str) -> Proposal:
    """Read a file in every format it may be in, and take the one in which most columns are no mere texts.

    Raises:
        StepError: It cannot be read in any.
    """
    form, table = _best(file)
    differs = {name: one for name, one in asdict(form).items() if one != getattr(PLAIN, name)}
    return Proposal(differs, len(table), tuple(_profiled(table[name]) for name in table.columns))


def _best(file: str) -> tuple[Format, pd.DataFrame]:
    found: tuple[Format, pd.DataFrame] | None = None
    first: StepError | None = None
    for form in _forms(file):
        try:
            table = read_source(file, form)
        except StepError as error:
            first = first or error
            continue
        # Any other separator that a file lacks makes one column of it.
        if form.delimiter == PLAIN.delimiter or len(table.columns) > 1:
            found = form, table
            break
    if found is None:
        raise first or StepError(f"{file} cannot be read")
    best, table = found
    if Path(file).suffix != ".csv":
        numbers: tuple[Format, ...] = ()
    else:
        numbers = (replace(best, decimal=","), replace(best, decimal=",", thousands="."), replace(best, thousands=","))
    for form in numbers:
        best, table = _better(file, form, best, table)
    for dates in _DATES:
        best, table = _better(file, replace(best, dates=dates), best, table)
    return best, table


def _forms(file: str) -> Iterator[Format]:
    if Path(file).suffix != ".csv":
        yield PLAIN
        return
    for encoding in _ENCODINGS:
        for delimiter in _DELIMITERS:
            yield Format(delimiter=delimiter, encoding=encoding)


def _better(file: str, form: Format, best: Format, table: pd.DataFrame) -> tuple[Format, pd.DataFrame]:
    """Take another format where it reads more columns as more than texts."""
    try:
        other = read_source(file, form)
    except StepError:
        return best, table
    return (form, other) if _read(other) > _read(table) else (best, table)


def _read(table: pd.DataFrame) -> int:
    return sum(kind_of(table[name]) != "string" for name in table.columns)


def _profiled(column: pd.Series[object]) -> Profiled:
    name, kind, known = str(column.name), kind_of(column), column.dropna()
    finding = scan(column)
    note = ""
    if not len(known):
        note = "holds no value"
    elif kind in {"date", "time"}:
        note = dated(name, column).removeprefix(f"column {name} ")
    elif column.nunique(dropna=False) == 1:
        note = "never changes"
    elif kind == "string":
        counted = {str(text): int(rows) for text, rows in known.value_counts().items()}
        note = looks_like(counted).replace(COLUMN, name)
    missing, distinct = float(column.isna().mean()), int(known.nunique())
    return Profiled(name, kind, missing, distinct, str(finding.kind) if finding else "", note)
