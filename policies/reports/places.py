"""Where in an environment's file a result is decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mlstrata.policies.core.evaluate import Result


class Place(NamedTuple):
    """A place in a file; line and column count from 1, 0 is not known."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Places:
    """Finds the lines of an environment's file.

    Attributes:
        file: The file, as reports show it; empty where there is none.
        find: Path of keys to line and column, of the nearest parent where the file does not write it.
        systems: Names of its systems, as it lists them: a graph's order is another.
    """

    file: str = ""
    find: Callable[[tuple[str | int, ...]], tuple[int, int]] | None = None
    systems: tuple[str, ...] = ()

    def of(self, result: Result) -> Place:
        """Return where a result is decided."""
        if result.file:
            return Place(result.file, result.line, min(result.line, 1))
        if not self.file or self.find is None:
            return Place(self.file, 0, 0)
        return Place(self.file, *self.find(self._in_file(result.at)))

    def _in_file(self, at: tuple[str | int, ...]) -> tuple[str | int, ...]:
        top, *beneath = at or ("",)
        if top != "systems" or not beneath or beneath[0] not in self.systems:
            return at
        return ("systems", self.systems.index(str(beneath[0])), *beneath[1:])
