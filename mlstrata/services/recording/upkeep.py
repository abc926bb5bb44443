"""What the recorder does beside taking records: remove what was kept long enough, and see that nothing is missing."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from mlstrata.services.recording.completeness import Completeness
from mlstrata.services.recording.names import LOOKED, PRUNED
from mlstrata.services.recording.settings import HOLD_SECONDS, Keeping
from mlstrata.services.recording.store import Store
from mlstrata.services.rounds import Rounds

RETENTION_ROUND_SECONDS = 3600.0
COMPLETENESS_ROUND_SECONDS = 5.0
_FIRST_SECONDS = 60.0
"""After the start, so that what has waited for the recorder is taken first."""


class Retention(Rounds):
    """Removes records whose time is over, in rounds."""

    def __init__(self, settings: Keeping, store: Store) -> None:
        self._settings, self._store = settings, store
        super().__init__("retention", PRUNED, every=RETENTION_ROUND_SECONDS, first=_FIRST_SECONDS)

    def round(self) -> str:
        """Do what there is to do; return what went wrong."""
        try:
            retire(self._store, self._settings, time.time())
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round must come
            return f"what is recorded cannot be removed yet: {type(error).__name__}: {error}"
        return ""


class Looking(Rounds):
    """Looks in rounds whether what was answered is recorded.

    Attributes:
        missing: By system, the answers that are missing.
    """

    def __init__(self, completeness: Completeness) -> None:
        self._completeness = completeness
        self.missing: Mapping[str, int] = {}
        super().__init__("completeness", LOOKED, every=COMPLETENESS_ROUND_SECONDS)

    def round(self) -> str:
        """Look once; return what went wrong."""
        try:
            self.missing = self._completeness.look(time.time())
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round must come
            return f"whether all answers are recorded is not known: {type(error).__name__}: {error}"
        return ""


def retire(store: Store, settings: Keeping, now: float) -> int:
    """Remove what was kept long enough, and what somebody asked to have erased and the law had kept until now.

    A system that the file declares no more has its records removed by the same time: the store names it.

    Returns:
        How many records went.
    """
    gone = store.finish_erasures(now, forget=settings.predictions)
    for system in {one.system for one in store.counts()}:
        known = settings.systems.get(system)
        # The law's time holds where a file asks for less, and of what is declared no more the tier is not known.
        gone += store.prune(system, now - max(settings.predictions, known.hold if known else HOLD_SECONDS))
    store.prune_strays(now - settings.predictions)
    before = math.inf
    while (size := store.size()) < before:
        before = size
        store.shrink()
    return gone
