"""What a process does again and again, beside what it does else. Only the standard library: it holds little memory."""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod


class Rounds(ABC):
    """Goes on from now on; what goes wrong is said once, on standard error.

    Attributes:
        done: When a round last did all there was to do, in seconds since 1970; before the first, when it began.
    """

    def __init__(self, name: str, metric: str, *, every: float, first: float = 0.0) -> None:
        """Begin.

        Args:
            name: The thread's.
            metric: Under which Prometheus reads `done`; a rule asks about it (`alerts.rules.ROUNDS`).
            every: Seconds between two rounds.
            first: Seconds before the first.
        """
        self.done = time.time()
        self.pause = every
        """Seconds until the next round; a round may choose others."""
        self._metric, self._first = metric, first
        self._woken, self._stopped = threading.Event(), False
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @abstractmethod
    def round(self) -> str:
        """Do what there is to do; return what went wrong, empty where nothing did."""

    def wake(self) -> None:
        """Have the next round begin now."""
        self._woken.set()

    def stop(self) -> None:
        """End after the round that is under way."""
        self._stopped = True
        self._woken.set()

    def exposition(self) -> str:
        """Return what Prometheus reads: a time that stands still says that nothing is done any more."""
        return f"# TYPE {self._metric} gauge\n{self._metric} {self.done!r}\n"

    def _run(self) -> None:
        said, wait = "", self._first
        while True:
            self._woken.wait(wait)
            self._woken.clear()
            if self._stopped:
                return
            complaint = self.round()
            if not complaint:
                self.done = time.time()
            elif complaint != said:
                sys.stderr.write(f"{complaint}\n")
                sys.stderr.flush()
            said, wait = complaint, self.pause
