"""The reports of a run, as they are read from a registry over HTTP."""

import json
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from mlstrata.clients.mlflow import Registry as Client
from mlstrata.clients.mlflow import RegistryError

FILES = {
    "/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts/gates.json": {"checks": []},
    "/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts/evaluation.json": {"rows": 3},
    "/api/2.0/mlflow-artifacts/artifacts/1/broken/artifacts/evaluation.json": [1],
}


class Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        found: object = FILES.get(path)
        if path.endswith("runs/get"):
            run = query.removeprefix("run_id=")
            root = "s3://bucket/1" if run == "elsewhere" else f"mlflow-artifacts:/1/{run}/artifacts"
            found = {"run": {"info": {"artifact_uri": root}}}
        if path.endswith("mlflow-artifacts/artifacts"):
            folder = f"{path}/{urllib.parse.unquote(query.removeprefix('path='))}/"
            names = [one.removeprefix(folder) for one in FILES if one.startswith(folder)]
            found = {"files": [{"path": name, "is_dir": False} for name in names]}
        status = 401 if self.headers.get("Authorization") != "Basic x" else 404 if found is None else 200
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Registry)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


ACCESS = {"Authorization": "Basic x"}


def test_the_reports_that_a_run_wrote_are_there_and_no_others(registry):
    assert Client(registry, ACCESS).reports("run") == {"gates": {"checks": []}, "evaluation": {"rows": 3}}
    assert Client(registry, ACCESS).reports("another") == {}
    assert Client(registry, ACCESS).reports("") == {}


@pytest.mark.parametrize(
    ("access", "run", "said"),
    [
        ({}, "run", "does not do what is asked"),
        (ACCESS, "broken", "is list, not an object"),
        (ACCESS, "elsewhere", "keeps files at s3://bucket/1"),
    ],
)
def test_what_cannot_be_read_is_said(registry, access, run, said):
    with pytest.raises(RegistryError, match=said):
        Client(registry, access).reports(run)
