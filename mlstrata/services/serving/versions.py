"""The versions of one system in memory, and which of them answers."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from typing import Any

from mlstrata.services.serving.metrics import LOADED
from mlstrata.services.serving.model import ServedModel, load
from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.releases import FILE, Releases
from mlstrata.services.serving.settings import ServingSettings

_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_log = logging.getLogger(__name__)


class Versions:
    """Loads, keeps and chooses versions. Safe to call from several threads."""

    def __init__(
        self,
        settings: ServingSettings,
        loaded: Callable[[ServedModel], object] = lambda _: None,
        unloaded: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Be empty.

        Args:
            settings: What the process is told.
            loaded: Called with each version before it answers.
            unloaded: Called with the name of each that is forgotten.
        """
        self._settings, self._loaded, self._unloaded = settings, loaded, unloaded
        self._models: dict[str, ServedModel] = {}
        self._failed: dict[str, str] = {}
        self._loading = threading.Lock()
        self._starting = threading.Lock()
        self._tried: set[str] = set()
        self._releases = Releases()
        self._read_from: tuple[int, int] | None = None

    def load_released(self) -> None:
        """Load what was in memory when the process last ran; one that cannot be loaded does not stop the others."""
        for version in self.releases().loaded:
            try:
                self.load(version)
            except ProblemError as problem:
                # `load` has logged the traceback.
                _log.error("%s", problem)

    def load(self, version: str) -> ServedModel:
        """Return `version`, loaded now unless it is in memory.

        Raises:
            ProblemError: 404 when its files are not there, 422 when they cannot be used.
        """
        folder = self._settings.directory / "models" / _checked(version)
        with self._loading:
            if (model := self._models.get(version)) is not None:
                return model
            if not folder.is_dir():
                raise ProblemError(
                    404, "unknown_version", f"version {version} of {self._settings.system} is not at {folder}"
                )
            try:
                model = load(version, folder)
            except Exception as error:  # a model's code may raise anything; the process must live on
                reason = f"{type(error).__name__}: {error}"
                self._failed[version] = reason
                _log.exception("version %s of %s cannot be loaded", version, self._settings.system)
                message = f"version {version} of {self._settings.system} cannot be loaded: {reason}"
                raise ProblemError(422, "unusable_version", message) from error
            self._loaded(model)
            self._models = self._models | {version: model}
            self._failed.pop(version, None)
            LOADED.labels(self._settings.system, version).set(1)
            return model

    def unload(self, version: str) -> bool:
        """Forget `version`; return whether it was in memory.

        Raises:
            ProblemError: 409 when it is the champion.
        """
        if _checked(version) == self.releases().champion:
            raise ProblemError(409, "champion", f"version {version} is the champion; release another one first")
        with self._loading:
            known = version in self._models
            self._models = {name: model for name, model in self._models.items() if name != version}
            self._unloaded(version)
            if known:
                LOADED.remove(self._settings.system, version)
            return known

    def choose(self, version: str | None) -> ServedModel:
        """Return the model that answers: `version` when a route names one, else the champion.

        Raises:
            ProblemError: 503 when there is none.
        """
        system = self._settings.system
        wanted = version or self.releases().champion
        if wanted is None:
            raise ProblemError(503, "no_version", f"no version of {system} is released yet; train and release one")
        if (model := self._models.get(wanted)) is not None:
            return model
        self._catch_up(wanted)
        # Only a number of ours is repeated; the header is whatever a caller on this machine sent.
        named = wanted if _VERSION.fullmatch(wanted) else "asked for"
        # Why is for the operator (GET /versions, the log); a caller is not told of files and classes.
        reason = "it could not be loaded" if wanted in self._failed else "it is not in memory"
        raise ProblemError(503, "version_not_loaded", f"version {named} of {system} cannot answer: {reason}")

    def is_ready(self) -> bool:
        """Return whether the released version answers; with none released there is nothing to wait for."""
        try:
            champion = self.releases().champion
        except ProblemError:
            return False
        if champion is None or champion in self._models:
            return True
        self._catch_up(champion)
        return False

    def _catch_up(self, version: str) -> None:
        """Load a version that was released while this process was starting or did not answer, once, in a thread."""
        with self._starting:
            if version in self._tried or version not in self.releases().loaded:
                return
            self._tried.add(version)
        threading.Thread(target=self._load_late, args=(version,), daemon=True).start()

    def _load_late(self, version: str) -> None:
        try:
            self.load(version)
        except ProblemError as problem:
            _log.error("%s", problem)
        else:
            # Unloaded later, it may be missed again.
            self._tried.discard(version)

    def describe(self) -> dict[str, Any]:
        """Return what is in memory, as `GET /versions` shows it."""
        models = [
            {"version": version, "loaded_at": model.loaded_at.isoformat()}
            for version, model in sorted(self._models.items(), key=lambda item: int(item[0]))
        ]
        releases = self.releases()
        return {
            "system": self._settings.system,
            "champion": releases.champion,
            "versions": models,
            "failed": self._failed,
        }

    def releases(self) -> Releases:
        """Return the releases, read again when the file has changed.

        Raises:
            ProblemError: 503 when the file cannot be understood.
        """
        path = self._settings.directory / FILE
        try:
            status = path.stat()
        except FileNotFoundError:
            self._read_from, self._releases = None, Releases()
            return self._releases
        # Every write is a rename, so the inode changes even within one tick of the clock.
        stamp = (status.st_ino, status.st_mtime_ns)
        if stamp != self._read_from:
            try:
                self._releases, self._read_from = Releases.read(self._settings.directory), stamp
            except ValueError as error:
                _log.error("%s", error)
                # Where it lies is for the operator, not for a caller.
                message = f"what is released of {self._settings.system} cannot be read; the log has the reason"
                raise ProblemError(503, "releases_unreadable", message) from None
        return self._releases


def _checked(version: str) -> str:
    if _VERSION.fullmatch(version):
        return version
    raise ProblemError(404, "unknown_version", "a version is a number from 1, as the registry counts them")
