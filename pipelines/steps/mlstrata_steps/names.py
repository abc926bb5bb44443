"""Names of columns: unique in a table, and refused with the nearest one where a declaration names none of them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from mlstrata_steps.outcome import StepError


def unique(names: Sequence[str]) -> None:
    """Refuse names that are not unique.

    Raises:
        StepError: Two are the same.
    """
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise StepError(f"the data has several columns named {', '.join(twice)}; names must be unique")


def no_column(name: str, available: Sequence[str]) -> str:
    """Say that the data has no such column, with the nearest one it has."""
    folded = {one.lower(): one for one in available}
    near = difflib.get_close_matches(name.lower(), folded, n=1)
    hint = f"did you mean {folded[near[0]]!r}?" if near else f"it has {', '.join(available)}"
    return f"the data has no column {name!r}; {hint}"
