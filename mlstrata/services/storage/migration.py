"""A planned move of all artifacts to another store, as the environment's home remembers it.

While it is under way both stores are up. The registry uses the old one until everything was copied and read back, then
the new one; one rename of the journal decides which.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.environments.spec.storage import Storage

JOURNAL = "data/storage/migration.json"
MANIFEST = "data/storage/manifest.json"
"""What the last migration moved: SHA-256 by name of artifact."""


class Phase(StrEnum):
    """How far a migration is."""

    COPY = "copy"
    """The registry uses the old store; artifacts are copied."""
    SWITCHED = "switched"
    """The registry uses the new store, which holds everything; the old one still does too."""
    EMPTIED = "emptied"
    """The old store holds nothing any more and can go."""


class Migration(Closed):
    """The journal."""

    source: Storage = Field(description="The storage that was deployed.")
    target: Storage = Field(description="The storage that the file asks for.")
    phase: Phase = Field(default=Phase.COPY, description="How far it is.")

    @property
    def active(self) -> Storage:
        """Return the storage that the registry uses."""
        return self.source if self.phase is Phase.COPY else self.target

    @property
    def needed(self) -> tuple[Storage, ...]:
        """Return the storages that must be up."""
        return (self.target,) if self.phase is Phase.EMPTIED else (self.source, self.target)


def read(home: Path) -> Migration | None:
    """Return the migration that is under way; None when there is none.

    Raises:
        ValueError: the journal is not what a migration writes.
    """
    try:
        text = (home / JOURNAL).read_bytes()
    except FileNotFoundError:
        return None
    return Migration.model_validate_json(text)


def same(first: Any, second: Any) -> bool:
    """Say whether two storages are one place: what else a storage says may change in place."""
    return _place(first) == _place(second)


def _place(storage: Any) -> dict[str, Any]:
    said = storage.model_dump(mode="json")
    return {name: said.get(name) for name in ("kind", "path", "bucket", "endpoint")}
