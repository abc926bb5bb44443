"""A little space that an environment keeps, so that it can be taken down on a disk that is full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

BYTES = 4 * 2**20
"""A state of some hundred KB is there three times while it is written: itself, its successor, its copy from before."""
_NAME = "reserve"


def keep(home: Path) -> None:
    """Reserve the space in an environment's home, unless it is; a disk without it has none to reserve."""
    path = home / _NAME
    if path.exists():
        return
    try:
        # No zeros: a file system that compresses or leaves holes would keep nothing of them.
        path.write_bytes(os.urandom(BYTES))
    except OSError:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def give_back(home: Path) -> None:
    """Free the space: what an environment's end has to write goes there."""
    (home / _NAME).unlink(missing_ok=True)
