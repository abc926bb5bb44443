"""What stops a plan before anything is registered."""

from __future__ import annotations

from collections.abc import Iterable


class PlanError(Exception):
    """The environment cannot be built as declared; one line a problem, each with its fix, no traceback."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
