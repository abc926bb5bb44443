"""Erases what was recorded of a removed system, as far as the law lets it go."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.operations.errors import Failed
from mlstrata.services.serving.folders import spill_folder

if TYPE_CHECKING:
    from mlstrata.services.recording.store import Erasure


def erase_recorded(home: Path, system: str, now: datetime) -> Erasure:
    """Erase a system's records, with what its prediction processes had not sent to the recorder yet.

    Its tier went with its declaration, so the time that the law has records of a high-risk system kept holds, as it
    does for retention; what is younger is held by the store, and goes by the recorder's rounds.

    Args:
        home: The environment's home.
        system: A system that is declared no more.
        now: Until when.

    Raises:
        Failed: the store or a spill cannot be used; what is left is erased by another run.
    """
    from mlstrata.services.recording.adoption import drain
    from mlstrata.services.recording.names import DATABASE
    from mlstrata.services.recording.settings import HOLD_SECONDS
    from mlstrata.services.recording.spill_folder import SpillError
    from mlstrata.services.recording.sqlite import open_store
    from mlstrata.services.recording.store import Erasure, StoreFullError, StoreUnreadableError

    spills = spill_folder(home, system, "")
    folders = sorted(one for one in spills.iterdir() if one.is_dir()) if spills.is_dir() else []
    if not folders and not (home / DATABASE).is_file():
        return Erasure(0)
    try:
        store = open_store(home)
        try:
            for folder in folders:
                # Nobody is left who sends it, and the law may have it kept.
                drain(folder, store)
            return store.erase_system(system=system, asked=now.timestamp(), hold=HOLD_SECONDS)
        finally:
            store.close()
    except (OSError, SpillError, StoreFullError, StoreUnreadableError) as error:
        raise Failed(f"{system}: what is recorded cannot be erased: {error}; run this again") from error
