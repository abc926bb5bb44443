"""One rollout at a time in an environment: the routes hold every system's version."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mlstrata.files import locked
from mlstrata.operations.releases.errors import Busy


@contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """Hold the lock at `path`; it falls with the process that holds it, however that ends.

    Raises:
        Busy: another process holds it.
    """
    with ExitStack() as held:
        try:
            handle = held.enter_context(locked(path, wait=False))
        except BlockingIOError:
            raise Busy(f"another rollout is running ({_holder(path)}); wait for it to end") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"pid {os.getpid()}: {what}\n".encode(), 0)
        # A process that finds the lock held by one that notes no name must not read ours.
        held.callback(os.ftruncate, handle, 0)
        yield


def _holder(path: Path) -> str:
    # `up` holds the lock too while it writes the routes, and notes no name.
    return path.read_text(encoding="utf-8", errors="replace")[:200].strip() or "or `up` writes the routes"
