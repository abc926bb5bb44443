"""Requests as a consumer sends them, and their truth as a person tells it, over real sockets."""

import itertools
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from mlstrata.operations import predict, tokens
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.loop.traffic import Traffic
from mlstrata.operations.loop.world import Case
from mlstrata.operations.targets.records import local_recorder
from tests.support.patience import eventually


class Parts(ThreadingHTTPServer):
    """A gateway and a recorder that keep what they are sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked, self.told, self.busy, self.broken = [], [], 0, False
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        token, parts = self.headers["authorization"], self.server
        if self.path == "/feedback" and token == "Bearer of-the-recorder":
            parts.told += [json.loads(line) for line in body.splitlines()]
            self._answer(200, {"changed": 1})
        elif self.path == "/systems/credit/v1/predict" and token == "Bearer of-the-desk":
            if parts.broken or parts.busy:
                parts.busy = max(0, parts.busy - 1)
                self._answer(500 if parts.broken else 429, {"error": "no"})
                return
            parts.asked.append(json.loads(body)["instances"][0])
            found = {"predictions": [{"probability": 0.2, "label": 0}], "model": {"system": "credit", "version": "3"}}
            self._answer(200, {**found, "request_id": f"r{len(parts.asked)}"})
        else:
            self._answer(401, {"error": {"message": "who are you"}})

    def _answer(self, status: int, document: dict) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("retry-after", "0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


CASES = [Case({"x": at}, "yes" if at % 2 else "no", {"sex": "f"}) for at in range(4)]


@pytest.fixture
def parts():
    made = Parts()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def traffic(parts, tmp_path, monkeypatch):
    (tmp_path / "config/recorder").mkdir(parents=True)
    (tmp_path / "config/recorder/token").write_text("of-the-recorder\n")
    monkeypatch.setattr(predict, "trust", lambda _deployment: ssl.create_default_context())
    monkeypatch.setattr(tokens, "mint", lambda *_asked: SimpleNamespace(token="of-the-desk"))
    here = SimpleNamespace(address=lambda _service: parts.url)
    target = SimpleNamespace(here=lambda _command: here, urls={"recorder": parts.url})
    deployment = SimpleNamespace(name="local", home=tmp_path, target=target, system=lambda name: name)
    target.deployment, target.recorder = deployment, lambda: local_recorder(deployment)
    consumers = (SimpleNamespace(name="desk"),)
    system = SimpleNamespace(name="credit", serving=SimpleNamespace(consumers=consumers))
    made = Traffic(deployment, system, rate=1000)
    yield made
    made.stop()


def test_each_answer_gets_its_truth_and_groups(traffic, parts):
    seen = []
    traffic.send(itertools.cycle(CASES), 30, seen.append)
    assert parts.asked == [{"x": at % 4} for at in range(30)]
    assert [one["id"] for one in parts.told] == [f"r{at}" for at in range(1, 31)]
    assert parts.told[1] == {"id": "r2", "truth": "yes", "groups": {"sex": "f"}}
    assert (traffic.told, dict(traffic.answers), seen[-1]) == (30, {"3": 30}, 30)


def test_it_goes_on_until_it_is_stopped_and_says_what_it_is_told_to(traffic, parts):
    traffic.begin(itertools.cycle(CASES), lambda case, version, answer: f"{case.truth}/{version}/{answer['label']}")
    eventually(lambda: traffic.told >= 25)
    traffic.stop()
    assert parts.told[0]["truth"] == "no/3/0"
    assert len(parts.told) == len(parts.asked) == traffic.told
    assert traffic.problem == ""


def test_a_limit_of_the_gateway_is_waited_for(traffic, parts):
    parts.busy = 2
    traffic.send(iter(CASES), 1, lambda _number: None)
    assert len(parts.asked) == 1


def test_a_gateway_that_fails_ends_it_with_the_reason(traffic, parts):
    parts.broken = True
    with pytest.raises(Failed, match="answered 500"):
        traffic.send(iter(CASES), 1, lambda _number: None)
    traffic.begin(itertools.cycle(CASES))
    eventually(lambda: traffic.problem)
    assert "answered 500" in traffic.problem


def test_a_recorder_that_does_not_take_it_ends_it_with_the_reason(traffic, tmp_path):
    (tmp_path / "config/recorder/token").write_text("of-nobody")
    with pytest.raises(Failed, match="refused it: who are you; of the lines, the first 0 are kept"):
        traffic.send(iter(CASES), 1, lambda _number: None)


def test_a_system_without_consumers_is_refused():
    deployment = SimpleNamespace(target=SimpleNamespace(here=lambda _command: None))
    system = SimpleNamespace(name="credit", serving=SimpleNamespace(consumers=()))
    with pytest.raises(UsageError, match="credit has no consumers"):
        Traffic(deployment, system, rate=1)
