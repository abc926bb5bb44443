"""Reads a file as columns of cells: parquet and JSON lines with their types, csv as text, all through pyarrow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata_steps.cells import PLAIN, Format, NoValue, TooLarge, infer, value
from mlstrata_steps.names import no_column, unique
from mlstrata_steps.outcome import StepError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

_SHOWN = 40
_SPREAD = "write them as numbers or texts in columns of their own, or exclude it"


@dataclass(frozen=True)
class Cells:
    """A column as it was read.

    Attributes:
        name: Of the column.
        distinct: Each cell of it once.
        codes: Shape (rows,): where in `distinct` a row's cell is; -1 where it has none.
        written: The cells are the texts of a csv, which knows no types.
        problem: Why the column is of no kind; empty: it may be of one.
    """

    name: str
    distinct: Sequence[Any]
    codes: NDArray[np.int64]
    written: bool = False
    problem: str = ""

    def kind(self, form: Format) -> str:
        """Name the column's kind: the declared one, or the narrowest that fits all cells.

        Raises:
            StepError: It holds bytes that are no text, or what has no kind, such as lists.
        """
        if self.problem:
            raise StepError(f"column {self.name} holds {self.problem}")
        declared = form.kinds.get(self.name)
        if declared:
            return declared
        for cell in self.distinct:
            if isinstance(cell, bytes):
                self._value(cell, "string", form)
        return infer(self.distinct, written=self.written, gaps=bool((self.codes < 0).any()), form=form)

    def as_written(self, form: Format) -> bool:
        """Say whether a text here may be a number: in a csv, and wherever the column's kind is declared."""
        return self.written or self.name in form.kinds

    def values(self, kind: str, form: Format) -> list[Any]:
        """Give the value of each distinct cell.

        Raises:
            StepError: A cell is nothing of this kind; it is named with its count.
        """
        return [self._value(cell, kind, form) for cell in self.distinct]

    def typed(self, form: Format, *, lenient: bool = False) -> pd.Series[Any]:
        """Give the column with the pandas type of its kind.

        Args:
            form: How it is written.
            lenient: Keep as text what has no kind.

        Raises:
            StepError: A cell is nothing of the column's kind.
        """
        import numpy as np
        import pandas as pd

        try:
            kind = self.kind(form)
            found = self.values(kind, form)
        except StepError:
            if not lenient:
                raise
            kind, found = "string", [str(cell) for cell in self.distinct]
        codes = np.where([one is None for one in [*found, None]], -1, np.arange(len(found) + 1))[self.codes]
        gone = codes < 0
        if kind == "string":
            return pd.Series(pd.array(np.array([*found, None], dtype=object)[codes], dtype="string"))
        if kind in {"date", "time"}:
            moments = np.array([*found, None], dtype="datetime64[us]")
            return pd.Series(moments[codes])
        plain = {"integer": np.int64, "number": np.float64, "boolean": np.bool_}[kind]
        numbers: NDArray[Any] = np.array([0 if one is None else one for one in [*found, None]], dtype=plain)[codes]
        if kind == "number":
            return pd.Series(np.where(gone, np.nan, numbers))
        made = pd.arrays.IntegerArray if kind == "integer" else pd.arrays.BooleanArray
        return pd.Series(made(numbers, gone))

    def _value(self, cell: Any, kind: str, form: Format) -> Any:
        try:
            return value(cell, kind, written=self.as_written(form), form=form)
        except TooLarge:
            why = f"column {self.name} holds whole numbers above 2^63"
            raise StepError(f"{why}, such as {cell}; exclude it, or write it as text") from None
        except NoValue as error:
            at = [at for at, one in enumerate(self.distinct) if one is cell]
            rows = int((self.codes == at[0]).sum())
            shown = repr(cell) if len(repr(cell)) <= _SHOWN else f"{repr(cell)[:_SHOWN]}…"
            what = f"column {self.name} holds {shown} in {rows} row{'s' if rows > 1 else ''}, which is not {error}"
            fix = "write it as text" if isinstance(cell, bytes) else "mend it, or declare another kind in format.kinds"
            raise StepError(f"{what}; {fix}") from None


def read_file(path: Path, form: Format = PLAIN) -> list[Cells]:
    """Read a csv, parquet or JSON lines file.

    Raises:
        StepError: It cannot be read; the message names column, line or byte, and the fix.
    """
    import pyarrow as pa

    try:
        if path.suffix == ".csv":
            from mlstrata_steps.csv_text import read_csv

            return cells_of(read_csv(path, form), written=True)
        if path.suffix == ".jsonl":
            return _lines(path)
        return cells_of(_parquet(path))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StepError(f"{path.name} cannot be read as {path.suffix[1:]}: {error}") from error


def frame(columns: Sequence[Cells], form: Format = PLAIN, exclude: Sequence[str] = ()) -> pd.DataFrame:
    """Give every column the type of its kind.

    Args:
        columns: As they were read.
        form: How they are written.
        exclude: Columns that nothing reads: where their cells have no kind, they are kept as text.

    Raises:
        StepError: Two columns have one name, or a cell is nothing of its column's kind.
    """
    import pandas as pd

    unique([one.name for one in columns])
    unknown = [name for name in form.kinds if name not in {one.name for one in columns}]
    if unknown:
        raise StepError(f"format.kinds: {no_column(unknown[0], [one.name for one in columns])}")
    return pd.DataFrame({one.name: one.typed(form, lenient=one.name in exclude) for one in columns})


def cells_of(table: pa.Table, *, written: bool = False) -> list[Cells]:
    """Take the columns of an Arrow table."""
    return [_column(str(name), table.column(at), written=written) for at, name in enumerate(table.column_names)]


def cells_of_series(name: str, column: pd.Series[Any]) -> Cells:
    """Take a column of pandas."""
    import pyarrow as pa

    try:
        return _column(name, pa.chunked_array([pa.Array.from_pandas(column)]), written=False)
    except (pa.ArrowException, TypeError):
        return cells_of_objects(name, column.tolist())


def cells_of_objects(name: str, cells: Sequence[Any]) -> Cells:
    """Take a column of Python objects."""
    import numpy as np

    places: dict[tuple[type, Any], int] = {}
    codes = np.empty(len(cells), dtype=np.int64)
    problem = ""
    for row, cell in enumerate(cells):
        key = cell
        if isinstance(cell, list | dict):
            problem = f"{'lists' if isinstance(cell, list) else 'objects'}; {_SPREAD}"
            key = json.dumps(cell, sort_keys=True, default=str)
        # To Python, true, 1 and 1.0 are one key.
        codes[row] = -1 if cell is None else places.setdefault((type(cell), key), len(places))
    return Cells(name, [cell for _, cell in places], codes, problem=problem)


def _column(name: str, column: pa.ChunkedArray, *, written: bool) -> Cells:
    import numpy as np
    import pyarrow as pa

    while isinstance(column.type, pa.DictionaryType | pa.BaseExtensionType):
        inner = column.type.value_type if isinstance(column.type, pa.DictionaryType) else column.type.storage_type
        column = column.cast(inner)
    kind = column.type
    types = pa.types
    if types.is_null(kind):
        return Cells(name, [], np.full(len(column), -1, dtype=np.int64), written)
    if types.is_nested(kind) or types.is_duration(kind) or types.is_interval(kind):
        found = cells_of_objects(name, [None if one is None else str(one) for one in column.to_pylist()])
        return replace(found, problem=f"values of type {kind}; {_SPREAD}")
    if types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    elif types.is_time64(kind):
        column = column.cast(pa.time64("us"), safe=False)
    elif types.is_string_view(kind) or types.is_binary_view(kind):
        column = column.cast(pa.large_string() if types.is_string_view(kind) else pa.large_binary())
    elif types.is_float16(kind):
        column = column.cast(pa.float32())
    coded = column.combine_chunks().dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    try:
        distinct = coded.dictionary.to_pylist()
        if types.is_float32(column.type):
            # The shortest text of a float32 is what a csv holds: 0.1, and not 0.10000000149011612.
            distinct = [None if one is None else float(str(np.float32(one))) for one in distinct]
        return Cells(name, distinct, codes, written)
    except (OverflowError, ValueError) as error:
        problem = f"a time that no calendar has ({error}); mend it, or exclude it"
        return Cells(name, [""], np.where(codes < 0, -1, 0), written, problem)


def _parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    # As one file: a data set would take columns out of the names of the folders above it, and no name twice.
    with pq.ParquetFile(path) as file:
        table = file.read()
    # pandas keeps the names of rows as a column without a name of its own; they are no property of a row.
    rows = [name for name in table.column_names if name.startswith("__index_level_")]
    return table.drop_columns(rows) if rows else table


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique([name for name, _ in pairs])
    return dict(pairs)


def _lines(path: Path) -> list[Cells]:
    rows = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, object_pairs_hook=_object)
            except ValueError as error:
                raise StepError(f"{path.name}: line {number} is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise StepError(f"{path.name}: line {number} is no object; each line must be one JSON object")
            rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return [cells_of_objects(name, [row.get(name) for row in rows]) for name in names]
