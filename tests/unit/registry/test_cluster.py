"""The registry as a cluster runs it: asked by its own names, refused by any other."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.registry.access import header, of

pytestmark = pytest.mark.env("runtime")
ROOT = Path(__file__).parents[3]
PASSWORD = "one that was generated"
NAMES = "mlflow,mlflow.mlstrata,mlflow.mlstrata.svc,mlflow.mlstrata.svc.cluster.local"
ASKED = header(of(PASSWORD))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def get(url: str, host: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Ask as somebody who knows the server by a name; (0, "") where nobody listens."""
    request = urllib.request.Request(url, headers={**(headers or {}), "Host": host})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("registry"), free_port()
    # What Postgres does with its tables the drill of the backup shows; who is let in is the same over any database.
    told = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db", "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    environ = {**os.environ, **told}
    (folder / "metrics").mkdir()
    arguments = [f"--port={port}", f"--artifacts-destination={folder}/artifacts", f"--hosts={NAMES}"]
    command = [sys.executable, "-m", "services.registry.cluster", *arguments, f"--metrics={folder}/metrics"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        deadline, url = time.monotonic() + 120, f"http://127.0.0.1:{port}"
        while True:
            # As a probe asks: by the pod's address.
            if get(f"{url}/health", f"10.1.2.3:{port}")[0] == 200:
                break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.3)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def experiments(url: str, host: str, headers: dict[str, str] | None = None) -> int:
    address = f"{url}/api/2.0/mlflow/experiments/search?max_results=1"
    return get(address, host, ASKED if headers is None else headers)[0]


@pytest.mark.parametrize("name", NAMES.split(","))
def test_pods_ask_it_by_its_names(registry, name):
    port = registry.rpartition(":")[2]
    assert experiments(registry, f"{name}:{port}") == 200
    assert experiments(registry, name) == 200


def test_nobody_asks_it_by_another_name(registry):
    assert experiments(registry, "rebound.example.com") == 403


def test_nobody_without_the_password_enters(registry):
    assert experiments(registry, "mlflow", {}) == 401
    assert experiments(registry, "mlflow", header(of("guessed"))) == 401


def test_prometheus_scrapes_it_by_the_pods_address(registry):
    status, text = get(f"{registry}/metrics", "172.16.0.9:5000")
    assert status == 200
    assert "mlflow_http_request" in text
