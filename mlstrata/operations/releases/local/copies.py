"""Several prediction processes of one system, as the rollout uses them: what one has, all have."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from mlstrata.operations.releases.errors import RolloutError

_POLL_S = 0.01
# What the others get once one has done it: a process that is well does the same in about the same time.
_GRACE_S = 1.0


class Process(Protocol):
    """What loads, tries and unloads versions."""

    def load(self, version: str) -> None:
        """Have `version` in memory."""

    def unload(self, version: str) -> None:
        """Have `version` out of memory."""

    def loaded(self) -> list[str]:
        """Return the versions in memory."""

    def smoke(self, version: str, folder: Path) -> None:
        """Have `version` predict the input example of its own `folder`."""


class Copies:
    """Processes that answer the same, all of which must do what is asked.

    One after another: while one loads a version, which takes it a while, the others answer at full speed.
    """

    def __init__(self, processes: Sequence[Process]) -> None:
        self._processes = processes

    def load(self, version: str) -> None:
        """Have `version` in memory of all.

        Raises:
            RolloutError: one of them cannot load it.
        """
        self._each(lambda process: process.load(version))

    def unload(self, version: str) -> None:
        """Have `version` out of memory of all.

        Raises:
            RolloutError: one of them refuses or does not answer; the others have been asked.
        """
        self._each(lambda process: process.unload(version))

    def loaded(self) -> list[str]:
        """Return the versions that any of them has in memory.

        Raises:
            RolloutError: one does not answer.
        """
        found: set[str] = set()
        self._each(lambda process: found.update(process.loaded()))
        return sorted(found, key=int)

    def smoke(self, version: str, folder: Path) -> None:
        """Have each predict the example in the `folder` of `version`.

        Raises:
            RolloutError: one of them cannot.
        """
        self._each(lambda process: process.smoke(version, folder))

    def _each(self, do: Callable[[Process], None]) -> None:
        failed: list[RolloutError] = []
        for process in self._processes:
            try:
                do(process)
            except RolloutError as error:
                failed.append(error)
        if failed:
            raise failed[0]


class AnyCopies(Copies):
    """Processes that answer the same, one of which must do what is asked: for going back.

    That is for the moment in which something is wrong, perhaps with a process too. One that fails or hangs is left
    alone from then on; it reads the releases itself when it is back, and gets no requests until it has the version.
    """

    def _each(self, do: Callable[[Process], None]) -> None:
        asked = [_Asked(process, do) for process in self._processes]
        while not any(one.done for one in asked) and any(one.thread.is_alive() for one in asked):
            time.sleep(_POLL_S)
        end = time.monotonic() + _GRACE_S
        for one in asked:
            one.thread.join(max(0.0, end - time.monotonic()))
        well = [one.process for one in asked if one.done]
        if not well:
            raise next(one.failed for one in asked if one.failed)
        self._processes = well


class _Asked:
    """A process that is asked in a thread, which ends with this one whatever the process does."""

    def __init__(self, process: Process, do: Callable[[Process], None]) -> None:
        self.process, self._do = process, do
        self.done = False
        self.failed: RolloutError | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._do(self.process)
        except RolloutError as error:
            self.failed = error
        else:
            self.done = True
