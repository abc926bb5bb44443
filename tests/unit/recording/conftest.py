"""Stores of predictions of every engine that is on this machine, each empty."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlstrata.services.recording.sqlite import open_store
from tests.support.recording import SHARE, SYSTEMS

SHARES = dict.fromkeys(SYSTEMS, SHARE)
NOW = 105.0
"""When what tests add was predicted a moment ago."""
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


@contextmanager
def embedded():
    # In memory: what a disk takes for a commit is not what is tried, and hypothesis makes hundreds.
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        store = open_store(Path(folder), shares=SHARES, clock=lambda: NOW)
        try:
            yield store
        finally:
            store.close()


@pytest.fixture(params=["embedded"], scope="session")
def stores(request):
    """What makes an empty store, closed and gone once its block ends."""
    return {"embedded": embedded}[request.param]
