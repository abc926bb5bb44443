"""What a store of predictions does, whatever engine it is: the embedded one or a distributed one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from mlstrata.services.recording.record import Record


class StoreFullError(Exception):
    """The disk is full: nothing of a batch was kept, and whoever sent it sends it again."""


class StoreUnreadableError(Exception):
    """What lies where the store is to be is none, or is one of a newer program; the message names it."""


class StoreAwayError(Exception):
    """The store's engine does not answer: it is not known what was kept, and whoever sent it sends it again."""


class StoreRefusedError(ValueError):
    """The store's engine can never keep what was sent; nothing of the batch was kept."""


class Queue(StrEnum):
    """Axis: why a person is to look at a row."""

    LABELLING = "labelling"
    REVIEW = "review"


@dataclass(frozen=True)
class Feedback:
    """What became known of a prediction after it was given.

    Of one (id, instance) the newest holds: of `truth` (with its `reviewer` and `sampled`), `reward` and `groups` each
    the newest that says any, so that a late reward leaves the truth as it is.

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


@dataclass(frozen=True)
class Waiting:
    """A row that waits for a person.

    Attributes:
        queue: Why.
        id: The request's id.
        instance: The row of the request, from 0.
        at: When it was predicted, in seconds since 1970.
        sampled: Probability with which it was chosen.
    """

    queue: Queue
    id: str
    instance: int
    at: float
    sampled: float


@dataclass(frozen=True)
class Count:
    """What was recorded of a version.

    Attributes:
        system: The system.
        version: The version.
        recorded: Records, ever.
        removed: Of these, what was pruned or erased.
        newest: When the newest was predicted, in seconds since 1970.
    """

    system: str
    version: str
    recorded: int
    removed: int
    newest: float


@dataclass(frozen=True)
class Erasure:
    """What was done about what is recorded of a person.

    Attributes:
        erased: Records that are gone.
        held: Records that the law has kept, for nothing else: no window yields them.
        until: When the last of these may go, in seconds since 1970; None: none is held.
    """

    erased: int
    held: int = 0
    until: float | None = None


@dataclass(frozen=True)
class Cursor:
    """How far somebody has read what is recorded of a system. A store gives it and understands it; nobody else does.

    Attributes:
        records: The last record that was read.
        told: The last feedback.
        removed: What had been removed by then.
    """

    records: int
    told: int
    removed: str


@dataclass(frozen=True)
class News:
    """What was recorded of a system and what became known of it since a cursor.

    Attributes:
        cursor: Where to go on.
        new: The rows of records that were not read yet, with their feedback.
        told: Rows that were read before, and whose feedback may have changed since; with all of it.
        anew: Reading begins at the beginning, as something was removed: forget what was read before.
        more: There is more to read at once.
    """

    cursor: Cursor
    new: tuple[Known, ...] = ()
    told: tuple[Known, ...] = ()
    anew: bool = False
    more: bool = False


class Store(Protocol):
    """Records, feedback and what is derived from them. Safe to call from several threads."""

    def add(self, records: Sequence[Record]) -> int:
        """Keep records, all of them or none; return how many were new.

        Raises:
            StoreFullError: the disk is full; none was kept.
        """

    def tell(self, feedback: Iterable[Feedback]) -> int:
        """Keep feedback, of known predictions or of such as come later; return how many rows changed anything.

        Raises:
            StoreFullError: the disk is full; sent again, all of it is kept.
        """

    def find(self, request: str) -> list[Record]:
        """Return what was recorded under a request's id, the answer that was given first."""

    def known(self, request: str) -> list[Known]:
        """Return the rows that were recorded under a request's id, with their feedback, without groups."""

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

    def news(
        self, system: str, cursor: Cursor | None, *, since: float, versions: Collection[str], groups: bool = False
    ) -> News:
        """Return what came since a cursor, a bounded part of it; a row is new once, however often it is told of.

        What is read so, from no cursor on until there is no more, is what `window` yields with `shadow`.

        Args:
            system: The system.
            cursor: What the last call gave; None: begin.
            since: Of records that were predicted from then on, in seconds since 1970; the same in each call.
            versions: Of these versions; the same in each call.
            groups: Read the protected attributes too.
        """

    def waiting(self, queue: Queue, system: str, limit: int) -> list[Waiting]:
        """Return the rows of a system that wait for a person, the oldest first, `limit` at most."""

    def given(self, system: str, rows: Collection[tuple[str, int]]) -> dict[tuple[str, int], Known]:
        """Return what a system answered in some rows, by request's id and row, with feedback, without groups.

        Of an id that several versions answered it is the answer that was given; what was erased is left out.
        """

    def sampled(self, queue: Queue, request: str, instance: int) -> float:
        """Return the probability with which a row that waits was chosen; 1 where it does not wait."""

    def lengths(self) -> dict[tuple[Queue, str], int]:
        """Return how many rows wait, by queue and system."""

    def missing(self, requests: Collection[str]) -> set[str]:
        """Return those of some requests' ids under which nothing is recorded, nor was and is removed.

        What was removed is known as such for a little over a day after it was predicted.
        """

    def counts(self) -> list[Count]:
        """Return what was recorded by version."""

    def joined(self) -> dict[str, int]:
        """Return how many rows have feedback, by system; under "" those whose prediction has not come yet."""

    def erase(self, *, system: str, subject: str, asked: float, hold: float = 0.0) -> Erasure:
        """Remove what was recorded of a person, also what was predicted until then and arrives later.

        Args:
            system: The system.
            subject: The person's keyed hash (`subject_hash`).
            asked: Now, in seconds since 1970.
            hold: Seconds that the law has a record kept; younger ones are held, and go by `finish_erasures`.
        """

    def erase_system(self, *, system: str, asked: float, hold: float = 0.0) -> Erasure:
        """Remove what was recorded of a system, also what was predicted until then and arrives later.

        Args:
            system: The system, which is declared no more.
            asked: Now, in seconds since 1970; one of that name that is declared later is another.
            hold: Seconds that the law has a record kept; younger ones are held, and go by `finish_erasures`.
        """

    def finish_erasures(self, now: float, *, forget: float) -> int:
        """Remove held records whose time has come; return how many went.

        Args:
            now: Seconds since 1970.
            forget: Seconds after which nothing that was predicted before an erasure can arrive any more.
        """

    def prune(self, system: str, before: float) -> int:
        """Remove records from before a time, in seconds since 1970, with their feedback; return how many went."""

    def prune_strays(self, before: float) -> int:
        """Remove feedback from before a time whose prediction never came; return how many rows went."""

    def size(self) -> int:
        """Return what it takes of the disk, in bytes."""

    def shrink(self) -> None:
        """Give the disk back what removed records took, a bounded part at a time."""

    def close(self) -> None:
        """Let go of files and connections."""
