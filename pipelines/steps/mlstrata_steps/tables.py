"""Tables in canonical form: the same content gives the same bytes and the same hash, whatever file it came from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mlstrata_steps.cells import NoValue, value
from mlstrata_steps.names import unique
from mlstrata_steps.outcome import StepError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

KINDS = {
    "integer": "Int64",
    "number": "float64",
    "boolean": "boolean",
    "string": "string",
    "date": "datetime64[us]",
    "time": "datetime64[us]",
}
"""A column's kind to the pandas type that holds it; what a cell of a kind means, `cells.value` says."""


def kind_of(column: pd.Series[object]) -> str:
    """Name a column's kind, one of `KINDS`.

    Whole numbers that a csv reader turned into floats because some were missing count as integers again.
    """
    from pandas.api import types

    if types.is_bool_dtype(column):
        return "boolean"
    if types.is_integer_dtype(column):
        return "integer"
    if types.is_float_dtype(column):
        known = column.dropna()
        # 2**53 is where a float stops telling neighbouring whole numbers apart.
        whole = len(known) < len(column) and bool((known == known.round()).all() and (known.abs() < 2.0**53).all())
        return "integer" if whole else "number"
    if types.is_datetime64_any_dtype(column):
        known = column.dropna()
        return "date" if bool((known == known.dt.normalize()).all()) else "time"
    return "string"


def canonical(frame: pd.DataFrame) -> pd.DataFrame:
    """Give every column one of four types and put the rows in the order of their hashes.

    Row order and file format therefore do not matter to what follows; the order of the columns does, because it is
    part of the schema that a model signs.

    Raises:
        StepError: There are no rows, no columns, or two columns of one name.
    """
    import pandas as pd

    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise StepError(
            f"the data holds {frame.shape[0]} rows and {frame.shape[1]} columns; it needs at least one each"
        )
    names = [str(name) for name in frame.columns]
    unique(names)
    typed = pd.DataFrame(
        {name: frame.iloc[:, i].astype(KINDS[kind_of(frame.iloc[:, i])]) for i, name in enumerate(names)}
    )
    order = row_hashes(typed).argsort(kind="stable")
    return typed.iloc[order].reset_index(drop=True)


AT_ONCE = 100_000
"""Rows that are written as texts at once, to be hashed."""


def row_hashes(frame: pd.DataFrame, salt: str = "") -> np.ndarray:
    """Hash each row by its values: shape (rows,), 32 hexadecimal digits each as bytes, the same in every process.

    Args:
        frame: A canonical table.
        salt: Mixed into every row, so that a seed gives another order.
    """
    import numpy as np

    head, hashes = salt.encode() + b"\x1e", np.empty(len(frame), dtype="S32")
    # The texts of all rows at once would take many times the table.
    for start in range(0, len(frame), AT_ONCE):
        part = frame.iloc[start : start + AT_ONCE]
        columns = [_texts(part[name]) for name in part.columns]
        # Each value goes in with its length: no text can imitate the border between two.
        hashes[start : start + AT_ONCE] = [
            hashlib.blake2b(head + "".join(f"{len(text)}:{text}" for text in row).encode(), digest_size=16).hexdigest()
            for row in zip(*columns, strict=True)
        ]
    return hashes


def content_hash(frame: pd.DataFrame) -> str:
    """Hash a canonical table: its column names and kinds in order, then its rows in canonical order.

    Returns:
        `sha256:` and 64 hexadecimal digits: the data's version.
    """
    digest = hashlib.sha256()
    for name in frame.columns:
        digest.update(f"{len(name)}:{name}={kind_of(frame[name])};".encode())
    for row in row_hashes(frame):
        digest.update(row)
    return "sha256:" + digest.hexdigest()


def _texts(column: pd.Series[object]) -> list[str]:
    """Write values as text that says their kind: a missing value, the empty string and zero all differ."""
    missing = column.isna()
    kind = kind_of(column)
    if kind == "number":
        texts = [float(value).hex() for value in column.fillna(0.0)]
    elif kind == "boolean":
        texts = ["1" if value else "0" for value in column.fillna(False)]
    elif kind == "integer":
        texts = [str(int(value)) for value in column.fillna(0)]
    elif kind in {"date", "time"}:
        texts = ["t" + str(value) for value in column.astype(KINDS[kind]).astype("int64")]
    else:
        texts = ["s" + str(value) for value in column.fillna("")]
    return ["\x00" if gone else text for text, gone in zip(texts, missing, strict=True)]


def read_table(path: str) -> pd.DataFrame:
    """Read a table that a step wrote."""
    import pandas as pd

    return pd.read_parquet(path)


def write_table(frame: pd.DataFrame, path: str) -> None:
    """Write a table so that a reader never sees half of it; the same table gives the same bytes."""
    import os
    from pathlib import Path

    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    frame.to_parquet(staged, index=False)
    staged.replace(target)


def positives(column: pd.Series[object], positive: str) -> np.ndarray:
    """Say which rows belong to the positive class: shape (rows,), booleans.

    Args:
        column: Of a canonical table.
        positive: The class as it is declared; it is read as a cell of a csv is, so 1 and 1.0 are one number.
    """
    import numpy as np

    kind = kind_of(column)
    try:
        wanted = value(positive, kind, written=True)
    except NoValue:
        return np.zeros(len(column), dtype=bool)
    return np.asarray((column == wanted).fillna(False), dtype=bool)
