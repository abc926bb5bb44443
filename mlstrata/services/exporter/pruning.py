"""Starts what removes what has been kept long enough: now and then, as a process that ends with its round."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from mlstrata.services.exporter.names import PRUNED

_FIRST_SECONDS, _ROUND_SECONDS, _LONGEST_SECONDS = 600.0, 3600.0, 6 * 3600.0
"""The first round leaves the machine to an `up` that goes on, such as with a training."""


class Pruning:
    """Prunes from now on; what goes wrong is said once, on its standard error.

    Attributes:
        done: When a round last removed all that could go, in seconds since 1970; before the first, when it began.
    """

    def __init__(self, settings: Path, *, first: float = _FIRST_SECONDS, every: float = _ROUND_SECONDS) -> None:
        self.done = time.time()
        self._settings, self._first, self._every = settings, first, every
        threading.Thread(target=self._run, name="retention", daemon=True).start()

    def exposition(self) -> str:
        """Return what Prometheus reads: a time that stands still says that nothing is removed any more."""
        return f"# TYPE {PRUNED} gauge\n{PRUNED} {self.done!r}\n"

    def _run(self) -> None:
        said, wait = "", self._first
        while True:
            time.sleep(wait)
            complaint = self._round()
            if complaint and complaint != said:
                sys.stderr.write(f"{complaint}\n")
                sys.stderr.flush()
            said, wait = complaint, self._every

    def _round(self) -> str:
        command = [sys.executable, "-m", "mlstrata.services.retention", "--settings", str(self._settings)]
        try:
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_LONGEST_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"what has been kept long enough is not removed yet: {error}"
        if ended.returncode:
            return f"what has been kept long enough is not all removed yet: {ended.stderr.strip()[-400:]}"
        self.done = time.time()
        return ""
