"""One rollout at a time in an environment: the routes hold every system's version."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlstrata.clients.errors import RolloutError


@contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """Hold the lock at `path`; it falls with the process that holds it, however that ends.

    Raises:
        RolloutError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # `up` holds the lock too while it writes the routes, and leaves no name.
            holder = os.read(handle, 200).decode(errors="replace").strip() or "or `up` writes the routes"
            raise RolloutError(f"another rollout is running ({holder}); wait for it to end") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"pid {os.getpid()}: {what}\n".encode(), 0)
        try:
            yield
        finally:
            # Whoever finds the lock held by what leaves no name must not read ours.
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)
