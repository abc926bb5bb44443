"""Stores of predictions of every engine that is on this machine, each empty."""

import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mlstrata.services.recording.sqlite import open_store
from tests.support.distributed import Distributed
from tests.support.postgres import running
from tests.support.recording import NOW, SHARES

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


@contextmanager
def _embedded():
    # In memory: what a disk takes for a commit is not what is tried, and hypothesis makes hundreds.
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        store = open_store(Path(folder), shares=SHARES, clock=lambda: NOW)
        try:
            yield store
        finally:
            store.close()


class Embedded:
    """Stores in files. Of `examples` a test tries so many."""

    examples = 100

    def __call__(self):
        return _embedded()


@pytest.fixture(scope="session")
def postgres():
    """A real Postgres, and stores in it."""
    with running() as server, closing(Distributed(server)) as made:
        yield made


@pytest.fixture(params=["embedded", "postgres"], scope="session")
def stores(request):
    """What makes an empty store, closed once its block ends."""
    return Embedded() if request.param == "embedded" else request.getfixturevalue("postgres")
