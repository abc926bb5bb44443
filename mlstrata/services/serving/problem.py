"""What went wrong with a request, in the one shape every answer of the platform uses for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlstrata.services.serving.prediction import Row


class ProblemError(Exception):
    """A request that is not answered with predictions.

    Attributes:
        status: the HTTP status.
        code: a word for programs.
        message: a sentence for people.
        details: one `{path, got, expected, fix}` for each thing wrong in the body.
        version: the version that was asked, once it is known.
        rows: the instances, once they could be read.
    """

    def __init__(self, status: int, code: str, message: str, details: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = list(details)
        self.version: str | None = None
        self.rows: tuple[Row, ...] = ()

    def sentence(self) -> str:
        """Return what is wrong and, for each thing wrong in the body, what to do: for who tries a version."""
        return told(self.message, self.details)

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the body of the answer."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return {"error": error, "request_id": request_id}


RETRY_AFTER_S = 1
"""When it may be worth to ask a system again that had more to do than it could: it is itself again within that time."""
OVERLOADED = "more is asked of this system than it can answer; try again after the seconds of retry-after"


class OverloadProblem(ProblemError):
    """A request that is not computed since more came than could be; the system is well."""

    def __init__(self) -> None:
        super().__init__(503, "overloaded", OVERLOADED)


def told(message: str, details: Sequence[Mapping[str, Any]]) -> str:
    """Return the message of a problem with each field that it is about, in one line."""
    return "; ".join([message, *(f"{one['path']}: got {one['got']}, {one['fix']}" for one in details)])
