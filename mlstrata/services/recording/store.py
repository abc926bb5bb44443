"""What a store of predictions does, whatever engine it is: the embedded one or a distributed one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mlstrata.services.recording.record import Record


@dataclass(frozen=True)
class Feedback:
    """What became known of a prediction after it was given; the newest of one (id, instance) holds.

    Attributes:
        id: The request's id.
        at: When it became known, in seconds since 1970.
        instance: The row of the request, from 0.
        truth: What really was, as the target's column writes it; None: not said.
        reward: What the answer was worth; None: not said.
        groups: Protected attribute to the person's value; kept apart, and read for measuring fairness alone.
        reviewer: Who decided, where a person did.
        sampled: Probability with which this row was chosen for labelling; 1: whatever came.
    """

    id: str
    at: float
    instance: int = 0
    truth: str | None = None
    reward: float | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    reviewer: str = ""
    sampled: float = 1.0


@dataclass(frozen=True)
class Known:
    """One recorded row with what became known of it."""

    record: Record
    instance: int
    feedback: Feedback | None

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Return what the model was given, as far as it is stored."""
        return self.record.instances[self.instance].inputs

    @property
    def output(self) -> Mapping[str, Any] | None:
        """Return what it answered."""
        return self.record.instances[self.instance].output


class Store(Protocol):
    """Records, feedback and what is derived from them. Safe to call from several threads."""

    def add(self, records: Sequence[Record]) -> int:
        """Keep records, all of them or none; return how many were new."""

    def tell(self, feedback: Iterable[Feedback]) -> int:
        """Keep feedback, of known predictions or of such as come later; return how many rows changed anything."""

    def find(self, request: str) -> list[Record]:
        """Return what was recorded under a request's id, the answer that was given first."""

    def window(
        self,
        system: str,
        *,
        since: float,
        until: float,
        version: str | None = None,
        shadow: bool = False,
        groups: bool = False,
        limit: int | None = None,
    ) -> Iterator[Known]:
        """Yield the rows of `system` recorded in [since, until), oldest first, with their feedback.

        Args:
            system: The system.
            since: Seconds since 1970.
            until: Seconds since 1970.
            version: Only of this version; None: of all.
            shadow: Also answers that nobody was given.
            groups: Read the protected attributes too, which are kept apart; without, feedback has none.
            limit: The newest rows at most.
        """

    def erase(self, *, system: str, subject: str) -> int:
        """Remove what was recorded of a person (their keyed hash); return how many records went."""

    def prune(self, system: str, before: float) -> int:
        """Remove records from before a time, in seconds since 1970; return how many went."""

    def close(self) -> None:
        """Let go of files and connections."""
