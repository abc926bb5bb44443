"""Records reach a real HTTP server that fails in every way; each is there at the end, and none goes before it is."""

import json
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlstrata.services.recording.shipper import Recorder, Shipper
from mlstrata.services.recording.spill import Spill
from mlstrata.services.recording.spill_folder import REFUSED
from tests.support.patience import eventually

TOKEN = "a-token-of-the-recorder"


class Store:
    """A recorder on a real port.

    Attributes:
        behave: Called with each batch; returns a status, "hang", "drop" or "forget" (it answers nothing although it
            has committed).
    """

    def __init__(self, port=0):
        self.kept, self.batches, self.tokens = Counter(), [], set()
        self.behave = lambda _: 200
        self.free = threading.Event()
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                store.tokens.add(self.headers["authorization"])
                assert self.path == "/records"
                lines = body.decode().splitlines()
                how = store.behave(lines)
                store.batches.append((how, lines))
                if how == "hang":
                    store.free.wait()
                if how in (200, "forget"):
                    store.kept.update(lines)
                if how in ("drop", "hang", "forget"):
                    self.close_connection = True
                    return
                content = json.dumps({"new": len(lines)} if how == 200 else {"error": {"code": "no"}}).encode()
                self.send_response(how)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def end(self):
        self.free.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def store():
    one = Store()
    yield one
    one.end()


@pytest.fixture
def token(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    return file


@pytest.fixture
def spill(tmp_path):
    one = Spill(tmp_path / "spill", segment=4096, wait_s=0.0)
    yield one
    one.close()


@contextmanager
def shipping(spill, store, token, seconds=30.0):
    recorder = Recorder(f"http://127.0.0.1:{store.port}", token, seconds)
    shipper = Shipper(spill, recorder, sleep=lambda _: None)
    shipper.start()
    try:
        yield shipper
    finally:
        shipper.stop(5.0)


def fill(spill, count, first=0):
    lines = [json.dumps({"id": number}) for number in range(first, first + count)]
    for one in [spill.append(line.encode()) for line in lines]:
        one.result()
    return lines


def test_records_arrive_once_in_batches_with_the_token_and_the_spill_is_empty_then(spill, store, token):
    lines = fill(spill, 1200)
    with shipping(spill, store, token) as shipper:
        # It counts what it has removed from the spill, so the spill is empty a moment before.
        eventually(lambda: shipper.shipped.sent == 1200)
        assert spill.pending == 0
    assert store.kept == Counter(lines)
    assert max(len(batch) for _, batch in store.batches) <= 500
    assert len(store.batches) < 100
    assert store.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("how", [500, 503, 507, 401, 404, "drop", "forget"])
def test_what_fails_is_sent_again_until_it_is_committed(spill, store, token, how):
    lines = fill(spill, 30)
    left = [how] * 3
    store.behave = lambda _: left.pop() if left else 200
    with shipping(spill, store, token) as shipper:
        eventually(lambda: spill.pending == 0)
        assert shipper.shipped.failures == 3
    assert set(store.kept) == set(lines)
    # The recorder knows a record by its key, so one that comes again is the same one.
    assert all(count == 1 for count in store.kept.values()) or how == "forget"


def test_nothing_goes_while_the_recorder_is_away(spill, store, token):
    store.behave = lambda _: 503
    fill(spill, 10)
    with shipping(spill, store, token) as shipper:
        eventually(lambda: shipper.shipped.failures > 3)
        assert spill.pending == 10
        store.behave = lambda _: 200
        eventually(lambda: spill.pending == 0)


def test_a_recorder_that_is_killed_and_comes_back_gets_everything(spill, token):
    first = Store()
    port = first.port
    lines = fill(spill, 10)
    with shipping(spill, first, token) as shipper:
        eventually(lambda: spill.pending == 0)
        first.end()
        first.server.socket.close()
        before = shipper.shipped.failures
        lines += fill(spill, 10, 10)
        # A kept connection may still be served by a thread of the one that is gone.
        eventually(lambda: shipper.shipped.failures > before or spill.pending == 0)
        second = Store(port)
        eventually(lambda: spill.pending == 0)
    second.end()
    assert set(first.kept) | set(second.kept) == set(lines)


def test_one_that_hangs_is_given_up_and_asked_again(spill, store, token):
    lines = fill(spill, 5)
    left = ["hang"]
    store.behave = lambda _: left.pop() if left else 200
    with shipping(spill, store, token, seconds=0.05):
        eventually(lambda: spill.pending == 0)
    assert set(store.kept) == set(lines)


def test_one_record_that_is_never_taken_does_not_keep_the_others(spill, store, token):
    lines = fill(spill, 40)
    store.behave = lambda batch: 422 if lines[17] in batch else 200
    with shipping(spill, store, token) as shipper:
        eventually(lambda: spill.pending == 0)
        assert shipper.shipped.refused == 1
    assert set(store.kept) == set(lines) - {lines[17]}
    kept = spill.folder / REFUSED
    assert kept.read_text() == lines[17] + "\n"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_at_the_end_it_sends_what_is_left(spill, store, token):
    recorder = Recorder(f"http://127.0.0.1:{store.port}", token)
    shipper = Shipper(spill, recorder)
    shipper.start()
    lines = fill(spill, 700)
    assert shipper.stop(60.0)
    assert store.kept == Counter(lines)


def test_at_the_end_it_does_not_wait_for_one_that_hangs_and_the_records_stay(spill, store, token):
    store.behave = lambda _: "hang"
    fill(spill, 5)
    shipper = Shipper(spill, Recorder(f"http://127.0.0.1:{store.port}", token, 3600.0))
    shipper.start()
    eventually(lambda: store.batches)
    assert shipper.stop(0.05) is False
    assert not shipper._thread.is_alive()
    assert spill.pending == 5


def test_without_a_token_nothing_is_sent_and_nothing_lost(spill, store, tmp_path):
    fill(spill, 3)
    with shipping(spill, store, tmp_path / "none") as shipper:
        eventually(lambda: shipper.shipped.failures > 2)
        (tmp_path / "none").write_text(TOKEN)
        eventually(lambda: spill.pending == 0)
    assert len(store.kept) == 3
