"""The registry of a cluster while its Postgres is away: not ready, 503, and well again by itself."""

import socket
from collections.abc import Iterator

import pytest

from mlstrata.clients.mlflow.access import header, of
from tests.support.patience import eventually
from tests.support.postgres import OWNER, Postgres, running
from tests.support.registry import PASSWORD, get, serving

pytestmark = pytest.mark.local
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server


def test_it_says_so_and_goes_on_when_the_database_is_back(postgres, tmp_path):
    database = f"postgresql://{OWNER}@127.0.0.1:{postgres.port}/{OWNER}"
    with serving(tmp_path, database=database) as url:

        def status(path: str) -> int:
            return get(f"{url}{path}", "mlflow", header(of(PASSWORD)))[0]

        assert status(SEARCH) == 200
        postgres.end()
        try:
            eventually(lambda: status("/health") == 503)
            assert status(SEARCH) == 503, "what a client asks again, not a 400 that it takes for its own fault"
            assert status("/alive") == 200, "ending the process would not bring the database back"
        finally:
            postgres.start()
        eventually(lambda: status("/health") == 200)
        assert status(SEARCH) == 200
        # An upload that never goes on: `serving` fails where the process does not end all the same.
        stalled = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
        place = "/api/2.0/mlflow-artifacts/artifacts/1/stalled"
        head = [f"PUT {place} HTTP/1.1", "Host: mlflow", "Content-Length: 1000000"]
        head += [f"{name}: {value}" for name, value in header(of(PASSWORD)).items()]
        stalled.sendall(("\r\n".join(head) + "\r\n\r\n").encode() + b"half of it")
    stalled.close()
    log = (tmp_path / "log").read_text()
    assert log.count("the database does not answer") == 1
    assert "well again" in log


def test_it_waits_for_a_database_that_comes_later(postgres, monkeypatch, capsys):
    from mlstrata.services.registry import cluster

    def missed(_: Exception) -> str:
        # It comes when it was missed, so that no machine is too slow or too fast for this.
        postgres.start()
        return "not there"

    monkeypatch.setattr(cluster, "_reason", missed)
    monkeypatch.setattr(cluster, "PAUSE_S", 0.05)
    postgres.end()
    assert cluster._prepared(cluster.address(f"postgresql://{OWNER}@127.0.0.1:{postgres.port}/{OWNER}")) == ""
    assert capsys.readouterr().err.count("it is waited for: not there") == 1


def test_one_that_never_comes_is_a_sentence(monkeypatch, capsys):
    from mlstrata.services.registry import cluster
    from tests.support.ports import free_port

    monkeypatch.setattr(cluster, "PATIENCE_S", 0.1)
    monkeypatch.setattr(cluster, "PAUSE_S", 0.05)
    said = cluster._prepared(cluster.address(f"postgresql://{OWNER}:secret@127.0.0.1:{free_port()}/{OWNER}"))
    assert said.startswith("the database did not answer for 0.1 s")
    assert "secret" not in said + capsys.readouterr().err
