"""Keeps the catalog at hand for many readers: read again when it is older than a moment or what is deployed changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from mlstrata.services.catalog.build import build
from mlstrata.services.catalog.events import EVENTS, elsewhere, read_events
from mlstrata.services.catalog.model import Catalog
from mlstrata.services.catalog.settings import CatalogSettings, Declared
from mlstrata.services.catalog.sources import read

FRESH_SECONDS = 2.0
"""How old an answer may be: a page asks for style and lineage at once, and the registry is asked only once."""


class Reader:
    """Reads the catalog. Safe for several threads."""

    def __init__(self, settings: CatalogSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._lock = threading.Lock()
        self._kept: tuple[float, Catalog] | None = None

    def catalog(self) -> Catalog:
        """Return the catalog, at most `FRESH_SECONDS` old.

        Raises:
            OSError, ValueError: What is deployed cannot be read.
        """
        with self._lock:
            if self._kept is None or self._clock() - self._kept[0] > FRESH_SECONDS:
                self._kept = (self._clock(), self._read())
            return self._kept[1]

    def forget(self) -> None:
        """Read anew for the next who asks: something was told."""
        with self._lock:
            self._kept = None

    def declared(self) -> Declared:
        """Return what is deployed.

        Raises:
            OSError, ValueError: It cannot be read.
        """
        return Declared.model_validate_json(self._settings.declared.read_text(encoding="utf-8"))

    def events(self) -> list[dict[str, object]]:
        """Return the newest lineage events, of the runner and from elsewhere, newest first."""
        own = read_events(self._settings.home / EVENTS)
        return sorted(own + read_events(self._settings.events), key=lambda event: str(event["eventTime"]), reverse=True)

    def _read(self) -> Catalog:
        declared, settings = self.declared(), self._settings
        sources = read(
            settings.home,
            settings.registry,
            [system.name for system in declared.systems],
            aliases=settings.releases == "registry",
        )
        try:
            told = read_events(settings.events)
        except OSError:
            told, sources = [], replace(sources, missing=(*sources.missing, "lineage events: cannot be read"))
        return build(declared, sources, others=elsewhere(told))
