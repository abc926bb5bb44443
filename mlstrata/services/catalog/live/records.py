"""What is recorded of predictions, read beside the recorder: queues and single requests, never protected attributes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.services.catalog.plots import Bar, Plot, plot
from mlstrata.services.recording.store import Known, Queue

if TYPE_CHECKING:
    from mlstrata.environments.spec.system import SystemSpec
    from mlstrata.services.recording.record import Record
    from mlstrata.services.recording.sqlite import SqliteStore

SHOWN = 25
"""Rows of a queue on one page: what a person looks at in one go."""


EXPLAINED = 12
"""Contributions that are drawn, the largest; the table has all."""


@dataclass(frozen=True)
class Row:
    """A row of a recorded request, with what became known of it.

    Attributes:
        record: The request.
        instance: The row, from 0.
        truth: What really was; None: nobody said.
        reviewer: Who said so, where a person did.
        reward: What the answer was worth; None: not said.
        told: When it became known, in seconds since 1970; None: nothing is.
    """

    record: Record
    instance: int
    truth: str | None = None
    reviewer: str = ""
    reward: float | None = None
    told: float | None = None

    @property
    def said(self) -> Mapping[str, Any]:
        """Return what was answered."""
        return self.record.instances[self.instance].output or {}

    @property
    def drawn(self) -> Plot | None:
        """Return what each column did to the answer, drawn, the largest first; None: no explanation is recorded."""
        parts = self.record.instances[self.instance].explanation or {}
        largest = sorted(parts.items(), key=lambda part: -abs(part[1]))[:EXPLAINED]
        return plot([Bar(name, value) for name, value in largest], from_zero=True)

    @classmethod
    def of(cls, known: Known, hidden: frozenset[str] = frozenset()) -> Row:
        """Take it from the store, without the columns that nobody may see here."""
        record, said = known.record, known.feedback
        if hidden:
            shown = tuple(
                one.model_copy(
                    update={
                        "inputs": _without(one.inputs, hidden),
                        "explanation": None if one.explanation is None else _without(one.explanation, hidden),
                        "flags": tuple(flag for flag in one.flags if flag.partition(":")[2] not in hidden),
                    }
                )
                for one in record.instances
            )
            record = record.model_copy(update={"instances": shown})
        if said is None:
            return cls(record, known.instance)
        return cls(record, known.instance, said.truth, said.reviewer, said.reward, said.at)


@dataclass(frozen=True)
class Waits:
    """A queue of a system.

    Attributes:
        queue: Why the rows wait.
        system: The system.
        length: How many wait.
        rows: The oldest of them.
    """

    queue: Queue
    system: str
    length: int
    rows: tuple[Row, ...]


class Records:
    """Reads the store of predictions of an environment. Safe for several threads."""

    def __init__(self, home: Path) -> None:
        self._home, self._lock = home, threading.Lock()
        self._open: SqliteStore | None = None

    def lengths(self) -> Mapping[tuple[Queue, str], int]:
        """Return how many rows wait, by queue and system; nothing where nothing was recorded yet.

        Raises:
            OSError, StoreUnreadableError, sqlite3.Error: The store cannot be read.
        """
        store = self._store()
        return store.lengths() if store else {}

    def waiting(self, queue: Queue, system: str, hidden: frozenset[str]) -> Waits:
        """Return the oldest rows of a queue.

        Args:
            queue: The queue.
            system: The system.
            hidden: Columns that are not shown.

        Raises:
            OSError, StoreUnreadableError, sqlite3.Error: The store cannot be read.
        """
        store = self._store()
        if store is None:
            return Waits(queue, system, 0, ())
        rows = []
        for one in store.waiting(queue, system, SHOWN):
            # It may have been erased since it was listed.
            found = [known for known in store.known(one.id) if known.instance == one.instance]
            rows += [Row.of(known, hidden) for known in found[:1]]
        return Waits(queue, system, store.lengths().get((queue, system), 0), tuple(rows))

    def find(self, request: str, hidden: Mapping[str, frozenset[str]]) -> tuple[Row, ...]:
        """Return what is recorded under a request's id: each row of every version, the answer that was given first.

        Args:
            request: The request's id.
            hidden: System to the columns that are not shown.

        Raises:
            OSError, StoreUnreadableError, sqlite3.Error: The store cannot be read.
        """
        store = self._store()
        if store is None:
            return ()
        # Of a system that is declared no more nobody knows which columns are protected.
        known = [one for one in store.known(request) if one.record.system in hidden]
        return tuple(Row.of(one, hidden[one.record.system]) for one in known)

    def _store(self) -> SqliteStore | None:
        from mlstrata.services.recording.sqlite import open_store

        with self._lock:
            if self._open is None:
                try:
                    self._open = open_store(self._home, read_only=True)
                except FileNotFoundError:
                    return None
            return self._open


def choices(system: SystemSpec, waits: Waits) -> tuple[str, ...]:
    """Return what a row of a system may really have been, as far as that is known."""
    positive = system.model.positive
    if positive is not None:
        return (str(positive),)
    classes = {str(name) for row in waits.rows for name in row.said.get("probabilities") or ()}
    if classes:
        return tuple(sorted(classes))
    return ("0", "1") if any("probability" in row.said for row in waits.rows) else ()


def hidden_of(system: SystemSpec) -> frozenset[str]:
    """Return the columns that no page shows: protected attributes are for measuring fairness alone."""
    named = {str(name) for name in system.model.protected}
    return frozenset(named | {str(name) for data in system.data for name in data.special_fields})


def _without(values: Mapping[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in hidden}
