"""What the learning process noted of a system: causes, trainings, rollouts with their figures, from its journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mlstrata.services.retraining.dataset import JOURNAL

ROLLOUT = frozenset({"rollout", "rolling"})
"""The kinds of note that say how a rollout stands: that it began, and where it is."""


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


def read_notes(home: Path, system: str, limit: int = 8) -> tuple[Noted, ...]:
    """Return the newest notes about a system, newest first; none where no learning process ever ran.

    Raises:
        sqlite3.Error: There is a journal and it cannot be read.
    """
    path = home / JOURNAL
    if not path.is_file():
        return ()
    query = "SELECT at, kind, reason, version FROM decisions WHERE system = ? ORDER BY number DESC LIMIT ?"
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as db:
        return tuple(Noted(*row) for row in db.execute(query, (system, limit)))


def evidence(notes: tuple[Noted, ...], begun: float | None) -> str:
    """Return what the newest note says of the rollout that began at a time; empty where none does."""
    if begun is None:
        return ""
    return next((one.reason for one in notes if one.kind in ROLLOUT and one.at >= begun), "")
