"""Feedback as people have it: a table (csv) or lines of JSON, from a file or standard input."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from mlstrata.environments.spec.base import suggestion
from mlstrata.operations.errors import UsageError

GROUP = "group."
"""How a column of a table begins that holds a protected attribute: `group.sex`."""
_NUMBERS = {"at": float, "reward": float, "sampled": float, "instance": int}
_COLUMNS = ("id", "instance", "truth", "reward", "reviewer", "sampled", "at")


def read(file: str) -> Iterator[dict[str, Any]]:
    """Yield what a file says, line by line; `-` is standard input.

    Raises:
        UsageError: it cannot be read, a column is not known, or a value is no number.
    """
    if file == "-":
        yield from _lines(sys.stdin, "standard input")
        return
    try:
        with Path(file).open(encoding="utf-8-sig", newline="") as stream:
            yield from _lines(stream, file)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read: {error}") from None


def _lines(stream: Iterable[str], name: str) -> Iterator[dict[str, Any]]:
    lines = iter(stream)
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("{"):
        yield from _documents(first, lines, name)
    else:
        yield from _table(first, lines, name)


def _documents(first: str, lines: Iterator[str], name: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(chain([first], lines), 1):
        if line.strip():
            try:
                yield dict(json.loads(line))
            except (ValueError, TypeError) as error:
                raise UsageError(f"{name}:{number}: no JSON object: {error}") from None


def _table(first: str, lines: Iterator[str], name: str) -> Iterator[dict[str, Any]]:
    columns = next(csv.reader([first]), [])
    for column in columns:
        if column not in _COLUMNS and not column.startswith(GROUP):
            hint = suggestion(column, _COLUMNS)
            allowed = f"allowed {', '.join(_COLUMNS)} and {GROUP}NAME" + (f"; {hint}" if hint else "")
            raise UsageError(f"{name}:1: got column '{column}'; {allowed}")
    if "id" not in columns:
        raise UsageError(f"{name}:1: has no column 'id': that of the answer's header x-request-id")
    for number, row in enumerate(csv.DictReader(lines, columns), 2):
        yield _row(row, f"{name}:{number}")


def _row(row: dict[str | Any, str | Any], place: str) -> dict[str, Any]:
    if None in row or None in row.values():
        raise UsageError(f"{place}: has another number of values than the first line has columns")
    line: dict[str, Any] = {}
    for column, value in row.items():
        if value == "":
            continue
        if column.startswith(GROUP):
            line.setdefault("groups", {})[column.removeprefix(GROUP)] = value
        elif column in _NUMBERS:
            try:
                line[column] = _NUMBERS[column](value)
            except ValueError:
                raise UsageError(f"{place}: {column}: got '{value}'; a number is needed") from None
        else:
            line[column] = value
    return line
