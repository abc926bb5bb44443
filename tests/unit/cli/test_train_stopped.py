"""A training that is watched and stopped is stopped where it runs, not only here."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from mlstrata.operations.training import local as train


class Asked(list[tuple[str, str]]):
    """What a runner was asked, and where it answers."""

    url = ""


@pytest.fixture
def runner(tmp_path, request) -> Iterator[Asked]:
    """A runner with one run that goes on until it is cancelled; gives what it is asked."""
    asked = Asked()
    step = {"name": "tune", "state": "running", "progress": "1 of 9 trials", "seconds": None, "error": None}

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append((self.command, self.path))
            if self.command == "POST":
                self.rfile.read(int(self.headers["content-length"]))
            ended = "cancelled" if ("DELETE", "/runs/r1") in asked else self.server.state
            run = {"id": "r1", "state": ended, "steps": [step], "result": None, "error": None}
            other = {"id": "r0", "system": "credit", "state": "running"}
            listed = (self.command, self.path) == ("GET", "/runs")
            body = json.dumps({"runs": [run, other]} if listed else run).encode()
            self.send_response(202 if self.command == "POST" else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def do_DELETE(self) -> None:
            self.answer()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.state = getattr(request, "param", "running")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    (tmp_path / "config/runner").mkdir(parents=True)
    (tmp_path / "config/runner/token").write_text("a-token-of-the-tests")
    asked.url = url
    yield asked
    server.shutdown()
    server.server_close()


def lines(home, runner):
    return train.through_runner(SimpleNamespace(name="local", home=home), runner.url, {"system": "loans"})


def test_whoever_stops_reading_cancels_the_run(runner, tmp_path):
    with closing(lines(tmp_path, runner)) as told:
        assert next(told)["step"] == "tune"
    assert runner[-1] == ("DELETE", "/runs/r1")


def test_an_interruption_while_nothing_happens_cancels_the_run(runner, tmp_path, monkeypatch):
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(lines(tmp_path, runner))
    assert runner[-1] == ("DELETE", "/runs/r1")


def test_a_run_that_ended_is_left_alone(runner, tmp_path):
    runner.append(("DELETE", "/runs/r1"))
    assert [line.get("state") for line in lines(tmp_path, runner)] == ["running", "cancelled"]
    assert runner[-1] == ("GET", "/runs/r1")


@pytest.mark.parametrize("runner", ["queued"], indirect=True)
def test_a_run_that_waits_for_another_says_so_once(runner, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "QUEUED_SECONDS", 0.0)
    monkeypatch.setattr(train, "POLL_SECONDS", 0.01)
    with closing(lines(tmp_path, runner)) as said:
        note = next(line["note"] for line in said if "note" in line)
        runner.append(("DELETE", "/runs/r1"))
        rest = list(said)
    assert note == "run r1 waits until run r0 of credit has ended; Ctrl-C takes it back"
    assert not [line for line in rest if "note" in line]
    assert rest[-1]["state"] == "cancelled"
