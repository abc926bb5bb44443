"""Starts what removes what has been kept long enough: now and then, as a process that ends with its round."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mlstrata.services.exporter.names import PRUNED
from mlstrata.services.rounds import Rounds

_FIRST_SECONDS, _ROUND_SECONDS, _LONGEST_SECONDS = 600.0, 3600.0, 6 * 3600.0
"""The first round leaves the machine to an `up` that goes on, such as with a training."""


class Pruning(Rounds):
    """Prunes from now on."""

    def __init__(self, settings: Path, *, first: float = _FIRST_SECONDS, every: float = _ROUND_SECONDS) -> None:
        self._settings = settings
        super().__init__("retention", PRUNED, every=every, first=first)

    def round(self) -> str:
        """Remove what may go; return what went wrong."""
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
        return ""
