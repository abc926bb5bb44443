"""What is recorded of predictions, read beside the recorder: queues and single requests, never protected attributes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.services.catalog.plots import Bar, Plot, plot
from mlstrata.services.recording.store import Feedback, Known, Queue

if TYPE_CHECKING:
    from mlstrata.environments.spec.system import SystemSpec
    from mlstrata.services.recording.record import Instance, Record
    from mlstrata.services.recording.tables import TableStore

SHOWN = 25
"""Rows of a queue on one page: what a person looks at in one go."""


EXPLAINED = 12
"""Contributions that are drawn, the largest; the table has all."""


@dataclass(frozen=True)
class Row:
    """A row of a recorded request, with what became known of it.

    Attributes:
        record: The request without its rows, which hold what nobody may see here.
        instance: The row, from 0.
        rows: How many the request has.
        given: The row, without the columns that nobody may see here.
        feedback: What became known of it, without groups; None: nothing did.
    """

    record: Record
    instance: int
    rows: int
    given: Instance
    feedback: Feedback | None = None

    @property
    def said(self) -> Mapping[str, Any]:
        """Return what was answered."""
        return self.given.output or {}

    @property
    def drawn(self) -> Plot | None:
        """Return what each column did to the answer, drawn, the largest first; None: no explanation is recorded."""
        parts = self.given.explanation or {}
        largest = sorted(parts.items(), key=lambda part: -abs(part[1]))[:EXPLAINED]
        return plot([Bar(name, value) for name, value in largest], from_zero=True)

    @classmethod
    def of(cls, known: Known, hidden: frozenset[str] = frozenset()) -> Row:
        """Take it from the store, without the columns that nobody may see here."""
        record, given, said = known.record, known.record.instances[known.instance], known.feedback
        return cls(
            record=record.model_copy(update={"instances": ()}),
            instance=known.instance,
            rows=len(record.instances),
            given=_shown(given, hidden) if hidden else given,
            feedback=None if said is None else replace(said, groups={}),
        )


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
        self._open: TableStore | None = None

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
        listed = [(one.id, one.instance) for one in store.waiting(queue, system, SHOWN)]
        found = store.given(system, listed)
        # It may have been erased since it was listed.
        rows = tuple(Row.of(found[key], hidden) for key in listed if key in found)
        return Waits(queue, system, store.lengths().get((queue, system), 0), rows)

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

    def _store(self) -> TableStore | None:
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


def _shown(given: Instance, hidden: frozenset[str]) -> Instance:
    explained = given.explanation
    return given.model_copy(
        update={
            "inputs": _without(given.inputs, hidden),
            "explanation": None if explained is None else _without(explained, hidden),
            "flags": tuple(flag for flag in given.flags if flag.partition(":")[2] not in hidden),
        }
    )


def _without(values: Mapping[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in hidden}
