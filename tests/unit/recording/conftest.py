"""Stores of predictions of every engine that is on this machine, each empty."""

import itertools
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mlstrata.services.recording import distributed
from mlstrata.services.recording.address import Address
from mlstrata.services.recording.sqlite import open_store
from tests.support.postgres import running
from tests.support.recording import SHARE, SYSTEMS

SHARES = dict.fromkeys(SYSTEMS, SHARE)
NOW = 105.0
"""When what tests add was predicted a moment ago."""
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


class Distributed:
    """Stores in databases of one server; one that was used is emptied and used again."""

    examples = 12  # each takes a hundred times as long

    def __init__(self, server):
        self.server, self.free, self.names = server, [], (f"recorder{number}" for number in itertools.count())

    def address(self):
        """Make a database, and return its address."""
        name = next(self.names)
        self.server.ask("postgres", f"CREATE DATABASE {name}")
        return Address.parse(f"postgresql://mlflow:unused@127.0.0.1:{self.server.port}/{name}?sslmode=disable")

    @contextmanager
    def __call__(self):
        if not self.free:
            address = self.address()
            self.free.append((distributed.open_store(address, shares=SHARES, clock=lambda: NOW), address.connect(60.0)))
        store, beside = self.free.pop()
        try:
            yield store
        finally:
            tables = beside.run(
                "SELECT format('DELETE FROM %I.%I', schemaname, tablename) FROM pg_tables "
                "WHERE schemaname IN ('predictions', 'protected') AND tablename NOT LIKE 'bodies_%' "
                "AND tablename <> 'layout'"
            )
            beside.execute_simple(";".join(row[0] for row in tables))
            self.free.append((store, beside))

    def close(self):
        for pair in self.free:
            for one in pair:
                one.close()


@pytest.fixture(scope="session")
def postgres():
    """A real Postgres, and stores in it."""
    with running() as server, closing(Distributed(server)) as made:
        yield made


@pytest.fixture(params=["embedded", "postgres"], scope="session")
def stores(request):
    """What makes an empty store, closed once its block ends."""
    return Embedded() if request.param == "embedded" else request.getfixturevalue("postgres")
