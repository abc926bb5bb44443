"""What the learning process noted of a system: causes, trainings, rollouts, from its journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mlstrata.services.retraining.dataset import JOURNAL

NEWEST = 8
"""Notes on a page: what led to the newest training, and what became of it."""


@dataclass(frozen=True)
class Noted:
    """One note.

    Attributes:
        at: When, in seconds since 1970.
        kind: What was decided, in the journal's word.
        reason: Why, with figures.
        version: The version that it is about; empty: none.
    """

    at: float
    kind: str
    reason: str
    version: str


def read_notes(home: Path, system: str) -> tuple[Noted, ...]:
    """Return the newest notes about a system, newest first; none where no learning process ever ran.

    Raises:
        sqlite3.Error: There is a journal and it cannot be read.
    """
    path = home / JOURNAL
    if not path.is_file():
        return ()
    query = "SELECT at, kind, reason, version FROM decisions WHERE system = ? ORDER BY number DESC LIMIT ?"
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as db:
        return tuple(Noted(*row) for row in db.execute(query, (system, NEWEST)))
