"""Versions side by side, from what a registry answers its user."""

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlstrata.clients.mlflow import Registry as Client
from mlstrata.clients.mlflow import RegistryError, VersionView, differing
from mlstrata.clients.mlflow.access import header, of

ACCESS = header(of("p" * 43))


def version(number: int) -> dict:
    tags = {
        "data_version": f"sha256:{number}",
        "commit": "c" * 40,
        "environment": "local",
        "pipeline_run": f"p{number}",
    }
    return {
        "version": str(number),
        "run_id": f"r{number}",
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }


class Registry(BaseHTTPRequestHandler):
    pages = ([version(1), version(2)], [version(10)])

    def do_GET(self):
        if self.headers.get("authorization") != ACCESS["Authorization"]:
            self.send_error(401)
            return
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path.endswith("model-versions/search"):
            page = int(query.get("page_token", "0"))
            answer = {"model_versions": self.pages[page]}
            if page + 1 < len(self.pages):
                answer["next_page_token"] = str(page + 1)
        else:
            number = int(query["run_id"].removeprefix("r"))
            metrics = [{"key": "auc", "value": number / 100}, {"key": "loss", "value": "NaN"}]
            params = [{"key": "seed", "value": "0"}, {"key": "C", "value": str(number)}]
            answer = {"run": {"data": {"metrics": metrics, "params": params}}}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_versions_come_from_every_page_the_newest_first(url):
    assert [one["version"] for one in Client(url, ACCESS).versions("loans")] == ["10", "2", "1"]


def test_a_view_has_what_made_the_version_and_finite_figures_alone(url):
    client = Client(url, ACCESS)
    newest, *_, oldest = map(client.view, client.versions("loans"))
    assert newest == VersionView(
        version="10",
        run="r10",
        pipeline_run="p10",
        environment="local",
        commit="c" * 40,
        data_version="sha256:10",
        metrics={"auc": 0.1},
        settings={"seed": "0", "C": "10"},
    )
    assert differing([newest, oldest]) == ["C"]
    assert differing([newest, newest]) == []


def test_without_the_password_it_says_so(url):
    with pytest.raises(RegistryError, match="401"):
        Client(url, {}).versions("loans")


def test_a_registry_that_is_gone_is_told():
    with pytest.raises(RegistryError, match=r"the registry at http://127\.0\.0\.1:1 does not answer"):
        Client("http://127.0.0.1:1", ACCESS).versions("loans")
