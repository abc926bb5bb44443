"""The catalog as a cluster runs it: secrets in variables, what is released told by the registry's aliases."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from mlstrata.clients.mlflow import Registry as Client
from mlstrata.clients.mlflow import RegistryError
from mlstrata.clients.mlflow.access import header, of
from mlstrata.services.catalog.settings import Declared
from mlstrata.services.catalog.sources import read_aliases
from tests.support.catalog import PYTHON, ROOT, SPEC, SYSTEM, TOKEN
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_port

PASSWORD = "the registry's own"
VERSIONS = [
    {"name": SYSTEM, "version": "1", "tags": []},
    {"name": SYSTEM, "version": "2", "tags": [], "aliases": ["champion"]},
]
MODEL = {"name": SYSTEM, "aliases": [{"alias": "champion", "version": "2"}, {"alias": "shadow", "version": "1"}]}


class Registry(BaseHTTPRequestHandler):
    """MLflow's two answers that the catalog asks for, behind its password; it knows one model."""

    def do_GET(self):
        if self.headers.get("Authorization") != header(of(PASSWORD))["Authorization"]:
            return self.answer(401, {})
        if SYSTEM not in self.path:
            return (
                self.answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"})
                if "get" in self.path
                else self.answer(200, {})
            )
        if "registered-models/get" in self.path:
            return self.answer(200, {"registered_model": MODEL})
        return self.answer(200, {"model_versions": VERSIONS})

    def answer(self, status: int, document: dict):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def command(registry: str, folder: Path, port: int) -> list[str]:
    (folder / "declared.json").write_text(Declared.of(SPEC).text(), encoding="utf-8")
    arguments = [f"--port={port}", f"--declared={folder}/declared.json", f"--data={folder}", f"--registry={registry}"]
    return [str(PYTHON), "-m", "mlstrata.services.catalog.cluster", *arguments]


@pytest.fixture(scope="module")
def catalog(registry, tmp_path_factory) -> Iterator[str]:
    port = free_port()
    environ = {**os.environ, "MLSTRATA_CATALOG_TOKEN": TOKEN, **of(PASSWORD)}
    process = subprocess.Popen(command(registry, tmp_path_factory.mktemp("data"), port), cwd=ROOT, env=environ)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None
        try:
            # As a probe asks: by the pod's address.
            return httpx.get(f"{url}/healthz", headers={"Host": f"10.1.2.3:{port}"}).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        eventually(answers)
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_what_is_released_is_what_the_registrys_aliases_say(catalog):
    asked = {"Authorization": f"Bearer {TOKEN}"}
    found = httpx.get(f"{catalog}/api/systems/{SYSTEM}", headers=asked)
    assert found.status_code == 200
    assert found.json()["champion"] == "2"


def test_nobody_without_the_token_reads_it(catalog):
    assert httpx.get(f"{catalog}/api/systems").status_code == 401
    assert httpx.get(f"{catalog}/metrics", headers={"Host": "10.1.2.3:8090"}).status_code == 200


def test_a_model_that_was_never_registered_is_not_released(registry):
    assert read_aliases(Client(registry, header(of(PASSWORD))), "unknown").champion is None
    assert read_aliases(Client(registry, header(of(PASSWORD))), SYSTEM).shadow == "1"
    with pytest.raises(RegistryError, match="401"):
        read_aliases(Client(registry, {}), SYSTEM)


def test_it_does_not_start_without_a_token(registry, tmp_path):
    environ = {key: value for key, value in os.environ.items() if key != "MLSTRATA_CATALOG_TOKEN"}
    done = subprocess.run(
        command(registry, tmp_path, 0), cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "MLSTRATA_CATALOG_TOKEN holds 0 characters; at least 16 are needed" in done.stderr
