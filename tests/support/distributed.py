"""Stores of predictions in a real Postgres."""

import itertools
from contextlib import contextmanager

from mlstrata.services.recording import distributed
from mlstrata.services.recording.address import Address
from tests.support.recording import NOW, SHARES


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
