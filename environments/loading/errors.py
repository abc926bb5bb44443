"""What the loader says when a file is not in shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class SpecError:
    """One thing that is wrong in an environment file.

    Attributes:
        file: the file, relative to the working directory where it is below it.
        line: line of the culprit, from 1; 0 where the file as a whole is meant.
        column: column of the culprit, from 1; 0 where the file as a whole is meant.
        path: where in the spec, such as `systems[0].rollout.strategy`; empty for the file as a whole.
        problem: what is wrong, with the value got; a secret-looking value is shown by its first characters only.
        value: the value got, as it is shown in `problem`; empty where there is none.
        allowed: what is allowed there; empty where the problem says it.
        fix: what to write instead.
    """

    file: str
    line: int
    column: int
    path: str
    problem: str
    value: str = ""
    allowed: str = ""
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        where = f"{self.path}: " if self.path else ""
        allowed = f"allowed {self.allowed}" if self.allowed else ""
        return f"{place}: {where}" + "; ".join(part for part in (self.problem, allowed, self.fix) if part)


class SpecErrors(ValueError):
    """Everything that is wrong in an environment file.

    Attributes:
        errors: in the order of the file; at least one.
    """

    def __init__(self, errors: Iterable[SpecError]) -> None:
        """Take the errors; the same one twice counts once."""
        self.errors = tuple(sorted(dict.fromkeys(errors)))
        super().__init__("\n".join(map(str, self.errors)))
