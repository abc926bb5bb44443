"""The input example a model is logged with: what a version is tried on before anyone depends on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = "serving_input_example.json"


def read_example(folder: Path) -> list[dict[str, Any]] | None:
    """Return the instances of the input example in the model `folder`; None when it was logged without one.

    Raises:
        ValueError: the example is not a table with named columns.
    """
    try:
        example = json.loads((folder / FILE).read_bytes())
    except FileNotFoundError:
        return None
    match example:
        case {"dataframe_split": {"columns": columns, "data": rows}}:
            return [dict(zip(columns, row, strict=True)) for row in rows]
        case _:
            raise ValueError(f"{FILE}: got no 'dataframe_split'; log the model with a data frame as input_example")
