"""Which columns the inputs of somebody else's graph are: by their names, or by the order of the data's columns."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import Columns
from mlstrata_steps.converted.form import KINDS, STRING, Input
from mlstrata_steps.outcome import StepError
from mlstrata_steps.tables import kind_of

if TYPE_CHECKING:
    import pandas as pd

_MATRIX = 2
_HOLDS = {
    "integer": "whole numbers", "number": "decimals", "boolean": "true and false", "string": "texts",
    "date": "dates", "time": "times",
}  # fmt: skip
_WHOLE = ("integer", "boolean")
_GIVEN_AS = {"int64": _WHOLE, "int32": _WHOLE, "bool": ("boolean",)}
_WITH_GAPS = ("float32", "float64")


@dataclass(frozen=True)
class _Taken:
    """An input of a graph.

    Attributes:
        name: Its name.
        kind: As `Input.kind`.
        width: Columns that it takes; None: as many as there are.
        flat: Whether it is a list, and no matrix.
    """

    name: str
    kind: str
    width: int | None
    flat: bool

    @property
    def narrow(self) -> bool:
        """Whether it takes one column."""
        return self.width == 1


def shown(nodes: Iterable[Any]) -> str:
    """Name inputs or outputs of a graph, with types and shapes."""
    return ", ".join(f"{one.name}: {one.type} {_shape(one.shape)}" for one in nodes)


def _shape(shape: Sequence[Any] | None) -> str:
    return f"({', '.join(str(one) if isinstance(one, int) else 'n' for one in shape or ())})"


def inputs_of(nodes: Sequence[Any], table: pd.DataFrame, roles: Columns) -> tuple[Input, ...]:
    """Find the columns of each input.

    An input of one column is the column of its name. Where no input is named after a column, they are the data's
    columns that the model may see, in their order: one each, or of a matrix of numbers those that are no texts, of a
    matrix of texts those that are.

    Args:
        nodes: The graph's inputs, as ONNX Runtime lists them.
        table: The rows that it is judged on.
        roles: The roles of the columns.

    Raises:
        StepError: What does not match, with the graph's names and shapes.
    """
    takes = f"model: the graph takes {shown(nodes)}"
    taken = [_taken(one, takes) for one in nodes]
    hidden = {roles.target, *roles.protected, *roles.exclude}
    named = [one for one in taken if one.width in {1, None} and one.name in table.columns]
    if seen := [one.name for one in named if one.name in hidden]:
        raise StepError(f"{takes}; {seen[0]} is the target, protected or excluded in the file")
    others = [one for one in taken if one not in named]
    free = [name for name in roles.seen(list(table.columns)) if name not in {one.name for one in named}]
    found = {one.name: [one.name] for one in named}
    unknown = [one for one in others if one.narrow]
    if unknown and len(unknown) < len(taken):
        near = difflib.get_close_matches(unknown[0].name, free, n=1)
        raise StepError(
            f"{takes}; {unknown[0].name} is no column of the data that a model may see; "
            + (f"did you mean {near[0]!r}?" if near else f"it has {', '.join(free)}")
        )
    if others:
        found |= _by_order(others, free, table, takes)
    made = tuple(Input(one.name, tuple(found[one.name]), one.kind, flat=one.flat) for one in taken)
    for one in made:
        for name in one.columns:
            if wrong := _misfit(table[name], one.kind):
                raise StepError(f"{takes}; {one.name} takes {name}, which {wrong}")
    return made


def _taken(node: Any, takes: str) -> _Taken:
    """Read what an input takes.

    Raises:
        StepError: It is of a type or shape that a table cannot be given as.
    """
    kind, shape = KINDS.get(node.type), list(node.shape or ())
    if kind is None:
        raise StepError(f"{takes}; {node.name}: allowed {', '.join(KINDS)}")
    if not 1 <= len(shape) <= _MATRIX:
        raise StepError(f"{takes}; {node.name}: allowed a matrix (rows, columns), or a list of a column's rows")
    if isinstance(shape[0], int):
        raise StepError(f"{takes}; {node.name}: takes {shape[0]} rows at a time; export it with any number of rows")
    width = 1 if len(shape) == 1 else shape[1] if isinstance(shape[1], int) else None
    return _Taken(node.name, kind, width, len(shape) == 1)


def _by_order(others: Sequence[_Taken], free: Sequence[str], table: pd.DataFrame, takes: str) -> dict[str, list[str]]:
    """Give the columns that no name says, in their order.

    Raises:
        StepError: There are more or fewer than the graph takes.
    """
    if all(one.narrow for one in others) and len(others) > 1:
        pools = {one.name: list(free) for one in others}
    else:
        words = [name for name in free if kind_of(table[name]) == "string"]
        numbers = [name for name in free if name not in words]
        pools = {one.name: words if one.kind == STRING else numbers for one in others}
    found: dict[str, list[str]] = {}
    for one in others:
        left = [name for name in pools[one.name] if name not in {name for names in found.values() for name in names}]
        found[one.name] = left if one.width is None else left[: one.width]
        if len(found[one.name]) < (one.width or 1):
            of = "texts" if one.kind == STRING else "numbers"
            raise StepError(
                f"{takes}; {one.name} takes {one.width or 'any number of'} columns, and of {of} the file lets the "
                f"model see {len(left)}: {', '.join(left)}"
            )
    if over := [name for name in free if name not in {name for names in found.values() for name in names}]:
        raise StepError(
            f"{takes}; none of it is {', '.join(over[:5])}, which the file lets the model see; put into model.exclude "
            "what it does not take: columns are matched by their order where the graph does not name them"
        )
    return found


def _misfit(column: pd.Series[object], kind: str) -> str:
    """Say why a column cannot be given as a type; empty: it can."""
    is_a, gaps = kind_of(column), int(column.isna().sum())
    if (is_a == "string") != (kind == STRING):
        taken = "a text" if kind == STRING else "a number; exclude it, or put the encoding of texts into the graph"
        return f"holds {_HOLDS[is_a]}, and is taken as {taken}"
    if is_a not in _GIVEN_AS.get(kind, _HOLDS):
        return f"holds {_HOLDS[is_a]}, and is taken as {kind}"
    if gaps and kind not in _WITH_GAPS:
        return f"is missing in {gaps} rows, and {kind} has no missing value in ONNX; fill it in the source"
    return ""
