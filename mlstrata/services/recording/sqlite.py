"""The embedded store: SQLite files in the environment's home, for one machine.

A batch is on the disk before it is answered (WAL, synchronous FULL).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mlstrata.services.recording.database import Database
from mlstrata.services.recording.names import DATABASE, GROUPS
from mlstrata.services.recording.protected import GROUPS_SCHEMA, GROUPS_VERSION, Protected
from mlstrata.services.recording.schema import SCHEMA, VERSION
from mlstrata.services.recording.tables import TableStore


def open_store(
    home: Path,
    *,
    read_only: bool = False,
    shares: Mapping[str, float] | None = None,
    clock: Callable[[], float] = time.time,
) -> TableStore:
    """Open the embedded store of an environment, and make it where there is none.

    Args:
        home: The environment's home folder.
        read_only: Write nothing: for what monitors, or learns from what was recorded.
        shares: Share of a system's answers that a person labels (`recording.label_share`), by system; only what adds
            records needs to know.
        clock: Gives the seconds since 1970.

    Raises:
        FileNotFoundError: there is none, and nothing is to be written.
        StoreUnreadableError: what lies there is no store, or one of a newer version.
    """
    place = home / GROUPS

    def groups(make: bool) -> Database | None:
        return Database(place, GROUPS_SCHEMA, GROUPS_VERSION, read_only=read_only) if make or place.is_file() else None

    db = Database(home / DATABASE, SCHEMA, VERSION, read_only=read_only)
    return TableStore(db, Protected(groups), shares, clock)
