"""The stage of an environment, from its file: nothing that is deployed says it, so that a move touches less."""

from __future__ import annotations

import threading
from pathlib import Path

from mlstrata.environments import SpecErrors, Workspace, load


class Stage:
    """Reads the stage, again whenever the file changed. Safe for several threads."""

    def __init__(self, home: Path) -> None:
        self._home, self._lock = home, threading.Lock()
        self._known: tuple[int, str] | None = None

    def of(self, environment: str) -> str:
        """Return the stage that the environment's file declares; empty where the file is not here.

        Raises:
            OSError: It cannot be read.
            ValueError: It is not valid.
        """
        path = Workspace.of_home(self._home).root / f"environments/{environment}.yaml"
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return ""
        with self._lock:
            if self._known is None or self._known[0] != changed:
                try:
                    self._known = (changed, str(load(path).stage))
                except SpecErrors as error:
                    raise ValueError(
                        f"{path.name} has {len(error.errors)} errors; `mlstrata validate` lists them"
                    ) from None
            return self._known[1]
