"""What the registry is asked without MLflow's client, and how its refusals are told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlstrata.clients.mlflow import Registry, RegistryError


class Server(BaseHTTPRequestHandler):
    """A registry with one model, as MLflow answers about its aliases."""

    aliases: dict[str, str] = {}  # noqa: RUF012 - one of the module's server
    answer: tuple[int, bytes] | None = None

    def _say(self, status, document):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _alias(self):
        given = json.loads(self.rfile.read(int(self.headers["content-length"])))
        return given["alias"], given.get("version")

    def do_GET(self):
        if self.answer:
            self._say(*self.answer)
        elif "champion" in self.aliases:
            self._say(200, {"model_version": {"version": self.aliases["champion"]}})
        else:
            self._say(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "Registered model alias not found"})

    def do_POST(self):
        name, version = self._alias()
        self.aliases[name] = version
        self._say(200, {})

    def do_DELETE(self):
        self.aliases.pop(self._alias()[0])
        self._say(200, {})

    def log_message(self, *_):
        pass


@pytest.fixture
def url(monkeypatch):
    monkeypatch.setattr(Server, "aliases", {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_champion_is_given_moved_and_taken(url):
    registry = Registry(url)
    assert registry.champion("s") is None
    registry.set_champion("s", "1")
    registry.set_champion("s", "2")
    assert registry.champion("s") == "2"
    registry.set_champion("s", None)
    assert Server.aliases == {}
    registry.set_champion("s", None)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, b"<html>broken</html>"), "does not do what is asked: HTTP 500"),
        (
            (403, b'{"error_code": "PERMISSION_DENIED", "message": "not you\\nat all"}'),
            "does not do what is asked: not you",
        ),
        ((200, b"<html>login</html>"), "does not answer"),
        ((200, b"[]"), "answers registered-models/alias with list, not an object"),
        ((200, b"{}"), "names no version of the alias champion"),
    ],
)
def test_what_is_no_answer_is_told_in_one_sentence(url, monkeypatch, answer, said):
    monkeypatch.setattr(Server, "answer", answer)
    with pytest.raises(RegistryError, match=said) as caught:
        Registry(url).champion("s")
    assert url in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_model_has_no_champion(url, monkeypatch):
    monkeypatch.setattr(Server, "answer", (404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no model"}'))
    assert Registry(url).champion("s") is None


def test_nobody_there():
    with pytest.raises(RegistryError, match=r"the registry at http://127\.0\.0\.1:1 does not answer"):
        Registry("http://127.0.0.1:1").run("r")
