"""A registry that restarts under a job: pods ask again for minutes, a terminal is told at once."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlstrata.clients.mlflow import Registry, RegistryError, rest
from mlstrata.clients.mlflow.access import PATIENT
from mlstrata.components.registry.kubernetes import client
from tests.support.ports import free_port

BODY = b"the bytes of a model"


class Server(BaseHTTPRequestHandler):
    """Answers with what is planned, then well."""

    planned: list[int | str]
    asked: list[str]

    def _answer(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        self.rfile.read(int(self.headers.get("content-length") or 0))
        plan = self.server.planned.pop(0) if self.server.planned else 200
        body = b'{"files": [{"path": "MLmodel"}]}' if "path=" in self.path else BODY
        if "experiments" in self.path:
            body = b'{"experiment_id": "1"}'
        self.send_response(200 if plan == "cut" else plan)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:5] if plan == "cut" else body)
        self.close_connection = True

    do_GET = do_POST = _answer  # noqa: N815 - the names of its protocol

    def log_message(self, *_) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setattr(rest, "_PAUSE_S", 0.01)
    made = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    made.planned, made.asked = [], []
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def patient(monkeypatch) -> None:
    monkeypatch.setenv(rest.PATIENCE, "600")


def asking(server: ThreadingHTTPServer) -> Registry:
    return Registry(f"http://127.0.0.1:{server.server_port}")


def test_a_pod_asks_again_while_it_is_away_and_says_so_once(server, patient, capsys):
    server.planned += [503, 502, 504]
    assert asking(server).get("experiments/get", experiment_id="1") == {"experiment_id": "1"}
    assert len(server.asked) == 4
    assert capsys.readouterr().err.count("it is asked again for 600 s") == 1


def test_a_terminal_is_told_at_once(server, monkeypatch):
    monkeypatch.delenv(rest.PATIENCE, raising=False)
    server.planned += [503]
    with pytest.raises(RegistryError, match="503"):
        asking(server).get("experiments/get", experiment_id="1")
    assert len(server.asked) == 1


def test_a_refusal_is_not_asked_again(server, patient):
    server.planned += [400]
    with pytest.raises(RegistryError):
        asking(server).get("experiments/get", experiment_id="1")
    assert len(server.asked) == 1


def test_a_registry_that_comes_later_is_waited_for(patient, monkeypatch):
    monkeypatch.setattr(rest, "_PAUSE_S", 0.01)
    port, made = free_port(), []

    def come() -> None:
        time.sleep(0.3)
        made.append(ThreadingHTTPServer(("127.0.0.1", port), Server))
        made[0].planned, made[0].asked = [], []
        made[0].serve_forever()

    threading.Thread(target=come, daemon=True).start()
    registry = Registry(f"http://127.0.0.1:{port}")
    assert registry.post("experiments/create", name="new") == {"experiment_id": "1"}
    assert len(made[0].asked) == 1, "a request that reached nobody is sent once it can"
    made[0].shutdown()
    made[0].server_close()


def test_what_may_have_been_done_is_not_done_twice(server, patient):
    server.planned += ["cut"]
    with pytest.raises(RegistryError, match="does not answer"):
        asking(server).post("experiments/create", name="new")
    assert len(server.asked) == 1


def test_a_file_that_broke_off_is_fetched_whole(server, patient, tmp_path):
    server.planned += [200, "cut", 503]
    asking(server).fetch("mlflow-artifacts:/1/models/m/artifacts", tmp_path)
    assert (tmp_path / "MLmodel").read_bytes() == BODY
    assert all("/api/2.0/mlflow-artifacts/artifacts" in one for one in server.asked), "by the registry alone"


def test_pods_are_patient_and_get_files_through_the_registry():
    plain, _ = client("http://mlflow.space.svc:5000")
    assert PATIENT.items() <= plain.items()
    assert float(plain[rest.PATIENCE]) >= 300
    assert plain["MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD"] == "false"
    assert plain["GIT_PYTHON_REFRESH"] == "quiet", "twenty lines on a git that no image has"


def test_mlflows_own_clients_wait_minutes_too(monkeypatch):
    from mlflow.utils.request_utils import _get_request_session

    tries, factor = int(PATIENT["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]), int(PATIENT["MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"])
    session = _get_request_session(tries, factor, 0.0, frozenset({503}), True, True)
    retry = session.get_adapter("http://mlflow").max_retries
    waited = 0.0
    for _ in range(tries):
        retry = retry.increment("GET", "/", error=ConnectionResetError())
        waited += retry.get_backoff_time()
    assert waited >= 300
