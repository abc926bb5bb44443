"""What callers send to the recorder, line by line: records, and what became known of predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from pydantic import Field, FiniteFloat, ValidationError, model_validator

from mlstrata.closed import Closed
from mlstrata.services.problems import plain
from mlstrata.services.recording.record import Record
from mlstrata.services.recording.store import Feedback

_AHEAD = 3600.0
"""Seconds that a caller's clock may be ahead: feedback from the future would hold against all that comes later."""
_Line = TypeVar("_Line")


class GivenError(ValueError):
    """A line cannot be used; the message names it and says why."""


class GivenFeedback(Closed):
    """Feedback as a caller gives it."""

    id: str = Field(min_length=1, max_length=128, description="The request's id, as the answer's header had it.")
    at: FiniteFloat | None = Field(default=None, description="When it became known, seconds since 1970; None: now.")
    instance: int = Field(default=0, ge=0, le=100_000, description="The row of the request, from 0.")
    truth: str | int | float | bool | None = Field(default=None, description="What really was; None: not said.")
    reward: FiniteFloat | None = Field(default=None, description="What the answer was worth; None: not said.")
    groups: dict[str, str] = Field(default={}, description="Protected attribute to the person's value.")
    reviewer: str = Field(default="", max_length=256, description="Who decided, where a person did.")
    sampled: float = Field(default=1.0, gt=0, le=1, description="Probability with which the row was chosen.")

    @model_validator(mode="after")
    def _says_something(self) -> GivenFeedback:
        if self.truth is None and self.reward is None and not self.groups:
            raise ValueError("says nothing; give one of truth, reward and groups")
        return self

    def feedback(self, now: float) -> Feedback:
        """Return it as a store keeps it.

        Raises:
            GivenError: it is from the future.
        """
        if self.at is not None and self.at > now + _AHEAD:
            raise GivenError(f"at: got {self.at!r}, which is to come; give seconds since 1970")
        return Feedback(
            id=self.id,
            at=now if self.at is None else self.at,
            instance=self.instance,
            truth=None if self.truth is None else written(self.truth),
            reward=self.reward,
            groups=self.groups,
            reviewer=self.reviewer,
            sampled=self.sampled,
        )


def written(truth: str | float | bool) -> str:
    """Return a truth as a table writes it: 1 and 1.0 are one class, as `1`."""
    if isinstance(truth, float) and truth.is_integer():
        return str(int(truth))
    return truth if isinstance(truth, str) else str(truth)


def records(body: bytes) -> list[Record]:
    """Read records, one a line.

    Raises:
        GivenError: a line is none.
    """
    return list(_lines(body, Record.from_bytes))


def feedback(body: bytes, now: float) -> list[Feedback]:
    """Read feedback, one a line.

    Raises:
        GivenError: a line is none.
    """
    return list(_lines(body, lambda line: GivenFeedback.model_validate_json(line).feedback(now)))


def _lines(body: bytes, read: Callable[[bytes], _Line]) -> Iterator[_Line]:
    for number, line in enumerate(body.split(b"\n"), 1):
        if line.strip():
            try:
                yield read(line)
            except ValidationError as error:
                raise GivenError(f"line {number}: {plain(error)}") from error
            except GivenError as error:
                raise GivenError(f"line {number}: {error}") from error
