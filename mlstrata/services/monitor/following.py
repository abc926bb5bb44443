"""What is released, where the registry alone says so: put into a folder as a rollout on one machine puts it."""

from __future__ import annotations

import logging
from pathlib import Path

from mlstrata.clients.mlflow import Registry, RegistryError
from mlstrata.files import private_folder, write_private
from mlstrata.services.serving.folders import releases_folder
from mlstrata.services.serving.releases import FILE, Releases
from mlstrata_steps.reference import FILE as REFERENCE

_log = logging.getLogger(__name__)


class Following:
    """Follows the releases of systems."""

    def __init__(self, home: Path, registry: Registry) -> None:
        self._home, self._registry = home, registry

    def look(self, system: str) -> None:
        """Put which version of a system answers, and the reference of its training, into the home.

        While the registry does not answer, what it said last holds.

        Raises:
            RegistryError: It does not answer, and nothing is known yet.
            OSError: The folder cannot be written.
        """
        place = releases_folder(self._home, system)
        try:
            champion = self._registry.champion(system)
            if champion is not None:
                self._refer(system, champion, place / "models" / champion)
        except RegistryError as error:
            if not (place / FILE).is_file():
                raise
            _log.warning("which version of %s answers is not known now: %s", system, error)
            return
        releases = Releases(champion=champion, loaded=(champion,) if champion else ())
        if not (place / FILE).is_file() or Releases.read(place) != releases:
            private_folder(place)
            write_private(place / FILE, releases.model_dump_json(indent=1, by_alias=True) + "\n")

    def _refer(self, system: str, version: str, folder: Path) -> None:
        if (folder / REFERENCE).is_file():
            return
        candidate = self._registry.candidate(system, version)
        # A version from elsewhere may have none: the monitor says so.
        if any(one["path"] == REFERENCE for one in self._registry.listed(candidate.files)):
            content = self._registry.read(candidate.files, REFERENCE)
            private_folder(folder)
            write_private(folder / REFERENCE, content.decode())
