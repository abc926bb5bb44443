"""What somebody hostile would try on the gateway: smuggling, spellings, headers that are ours, HTTP/2, silence."""

import json
import re
import socket
import ssl
from contextlib import suppress

import httpx
import pytest

from mlstrata.services.gateway.usage import read_usage
from tests.support.gateway import LOANS, Edge, StandIn, told
from tests.support.h2 import Connection
from tests.support.patience import PATIENCE, eventually

INSIDE = b"POST /versions/9 HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def process():
    made = StandIn()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def edge(tmp_path_factory, process):
    made = Edge(tmp_path_factory.mktemp("attacks"), process.port)
    yield made
    made.process.kill()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory, process):
    made = Edge(tmp_path_factory.mktemp("hasty"), process.port, hasty=True)
    yield made
    made.process.kill()


# Where a request begins it is none, so the connection ends with one more 400; elsewhere it is part of what came before.
LAST_WORDS = b"END\r\n\r\n"


def everything(sock):
    """Return the status of every answer that comes until the connection ends; an end of ours ends an open one."""
    received = b""
    with suppress(OSError):
        sock.sendall(LAST_WORDS)
    with suppress(ConnectionError, ssl.SSLError):
        while part := sock.recv(65_536):
            received += part
    return [found.decode() for found in re.findall(rb"HTTP/1\.1 (\d+)", received)]


SMUGGLED = {
    "length and chunks": lambda edge: (
        edge.head(length=len(INSIDE) + 5, extra="transfer-encoding: chunked\r\n") + b"\r\n0\r\n\r\n" + INSIDE
    ),
    "two lengths": lambda edge: edge.head(length=0, extra=f"content-length: {len(INSIDE)}\r\n") + b"\r\n" + INSIDE,
    "unknown coding": lambda edge: edge.head(extra="transfer-encoding: xchunked\r\n") + b"\r\n" + INSIDE,
    "coding after chunks": lambda edge: edge.head(extra="transfer-encoding: chunked, gzip\r\n") + b"\r\n" + INSIDE,
    "space before the colon": lambda edge: edge.head(extra="transfer-encoding : chunked\r\n") + b"\r\n" + INSIDE,
    "tab before the coding": lambda edge: edge.head(extra="transfer-encoding:\x0bchunked\r\n") + b"\r\n" + INSIDE,
    "signed length": lambda edge: (
        edge.head().replace(b"content-length: 0", b"content-length: +4") + b"\r\n{}{}" + INSIDE
    ),
    "hexadecimal length": lambda edge: edge.head().replace(b"length: 0", b"length: 0x4") + b"\r\n{}{}" + INSIDE,
    "nothing byte in a header": lambda edge: edge.head(extra="x-a: b\x00c\r\n") + b"\r\n",
    "chunk of too many digits": lambda edge: (
        edge.head(extra="transfer-encoding: chunked\r\n").replace(b"content-length: 0\r\n", b"")
        + b"\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n"
        + INSIDE
    ),
    "line in the path": lambda edge: edge.head(path=f"{LOANS} HTTP/1.1\r\nx-a:b\r\n\r\n") + b"\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_no_request_hides_within_another(edge, process, name):
    """It is refused, what follows on the connection too; what was hidden is seen by nobody."""
    before = dict(process.seen)
    with edge.connect() as sock:
        sock.sendall(SMUGGLED[name](edge))
        answers = everything(sock)
    assert answers == ["400"] or name == "line in the path", answers
    assert set(answers) <= {"400", "404"}, answers
    assert dict(process.seen) == before


@pytest.mark.parametrize("between", ["\n", "\r", "\r\n ", "\r\n\t"])
def test_no_header_hides_in_the_value_of_another(edge, process, between):
    """Lines ended or folded as nobody does any more: read as one value or as a header of ours, which is dropped."""
    hidden = f"x-a: b{between}x-mlstrata-version: 9{between}transfer-encoding: chunked\r\n"
    before, process.headers = process.seen.total(), {}
    with edge.connect() as sock:
        sock.sendall(edge.head(length=2, extra=hidden) + b"\r\n{}" + INSIDE)
        answers = everything(sock)
    assert answers[0] in ("200", "400")
    assert process.seen.total() - before == answers.count("200")
    assert not {"x-mlstrata-version", "transfer-encoding"} & set(process.headers)
    assert set(process.seen) <= {LOANS}


def test_the_raw_requests_of_these_tests_work_when_they_are_in_order(edge):
    with edge.connect() as sock:
        sock.sendall(edge.head(length=2) + b"\r\n{}")
        assert told(sock).split()[1] == "200"


FOREIGN = {
    "x-mlstrata-version": "9",
    "X-MLStrata-Consumer": "root",
    "x-mlstrata-untouched": "1",
    "x-envoy-upstream-rq-timeout-ms": "999999",
    "x-envoy-max-retries": "10",
    "x-envoy-retry-on": "5xx",
    "x-envoy-original-path": "/versions/9",
    "x-envoy-internal": "true",
    "x-request-id": "mine",
    "x-forwarded-client-cert": "By=root",
    "upgrade": "h2c",
    "connection": "close, x-mlstrata-consumer, authorization",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_header_that_is_not_the_callers_to_send_reaches_nobody(edge, process, name):
    process.headers = {}
    headers = {name: FOREIGN[name]}
    answer = edge.ask(**headers)
    if name == "connection":
        # It names the token's own header as one for the next hop only.
        assert answer.status_code in (200, 401)
    else:
        assert answer.status_code == 200
        assert process.headers["x-mlstrata-consumer"] == "desk"
    assert process.headers.get(name.lower()) != FOREIGN[name]
    assert "authorization" not in process.headers


def test_no_caller_sets_how_often_a_failed_request_is_tried(edge, process):
    before = process.seen[LOANS]
    wished = {"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "5"}
    assert edge.ask(body=b'{"status": 503}', **wished).status_code == 503
    assert process.seen[LOANS] == before + 1


def test_no_caller_sets_how_long_a_request_may_take(edge):
    wished = {"x-envoy-upstream-rq-timeout-ms": "20", "x-envoy-expected-rq-timeout-ms": "20"}
    assert edge.ask(body=b'{"sleep_ms": 200}', **wished).status_code == 200


SPELLINGS = [
    "/systems/%2e%2e/systems/loans/v1/predict",
    "/x/..%2fsystems/loans/v1/predict",
    "//systems//loans/v1/predict",
    "/./systems/loans/v1/predict",
    "/%73ystems/loans/v1/predict",
    "/Systems/loans/v1/predict",
    "/systems/LOANS/v1/predict",
    "/systems/loans/v1/predict/",
    "/systems/loans/v1/predict;a=b",
    "/systems/loans/v1/predict%3fa",
    "/systems/loans/v1/predict%00",
    "/systems/loans/v1/predict#a",
    "/systems\\loans\\v1\\predict",
    "/systems%5cloans/v1/predict",
    "/systems/loans/v1/../../../versions/9",
    "/systems/loans/v1/%2e%2e/%2e%2e/%2e%2e/versions/9",
    "/versions/9",
    "/v2/repository/models/loans/unload",
    "/v2/models/loans/infer",
    "http://elsewhere/systems/loans/v1/predict",
    "*",
    "/\xff\xfe",
]


@pytest.mark.parametrize("path", SPELLINGS)
def test_no_spelling_of_a_path_leads_round_the_token_or_to_another_place(edge, process, path):
    before = dict(process.seen)
    raw = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n".encode("latin-1")
    with edge.connect() as sock:
        sock.sendall(raw + b"\r\n{}")
        assert told(sock).split()[1] in ("400", "401", "404")
    assert dict(process.seen) == before
    with edge.connect() as sock:
        sock.sendall(raw + f"authorization: Bearer {edge.token()}\r\n".encode() + b"\r\n{}")
        assert told(sock).split()[1] in ("200", "307", "400", "404")
    assert set(process.seen) <= {LOANS}, "what arrives has the one spelling"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PRI", "BREW"])
def test_no_other_method_reaches_a_process(edge, process, method):
    before = dict(process.seen)
    with edge.connect() as sock:
        sock.sendall(edge.head().replace(b"POST", method.encode()) + b"\r\n")
        assert told(sock).split()[1] in ("400", "405")
    assert dict(process.seen) == before


def test_no_tunnel_is_opened(edge):
    assert edge.ask(connection="upgrade", upgrade="websocket").status_code == 403


def test_a_refusal_told_as_grpc_is_logged_as_one(edge):
    """Its status is 200, as gRPC has it: whoever tries tokens must not look like somebody who is served."""
    with httpx.Client(verify=edge.trust, trust_env=False) as client:
        answer = client.post(edge.url + LOANS, headers={"content-type": "application/grpc"}, content=b"{}")
    assert (answer.status_code, answer.headers["grpc-status"]) == (200, "16")

    def logged():
        text = edge.settings.access_log.read_text()
        return [line for line in text.splitlines() if answer.headers["x-request-id"] in line]

    eventually(logged)
    (one,) = read_usage(logged())
    assert (one.requests, one.refused, one.errors) == (1, 1, 0)


def h2(edge):
    trust = ssl.create_default_context(cafile=str(edge.ca))
    trust.set_alpn_protocols(["h2"])
    plain = socket.create_connection(("127.0.0.1", edge.settings.port), timeout=PATIENCE)
    return Connection(trust.wrap_socket(plain, server_hostname="localhost"))


def over_h2(edge, *more, path=LOANS, method="POST", token=True, body=b"{}"):
    pseudo = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
    allowed = [("authorization", f"Bearer {edge.token()}")] if token else []
    return h2(edge).ask([*pseudo, *allowed, *more], body)


def test_over_http2_the_same_rules_hold(edge, process):
    assert over_h2(edge) == "200"
    assert over_h2(edge, token=False) == "401"
    assert over_h2(edge, path="/versions/9") == "404"
    assert over_h2(edge, method="GET", body=b"") == "405"
    process.headers = {}
    assert over_h2(edge, ("x-mlstrata-version", "9"), ("x-mlstrata-consumer", "root")) == "200"
    assert process.headers["x-mlstrata-consumer"] == "desk"
    assert "x-mlstrata-version" not in process.headers


REFUSED = {
    "401": {"token": False},
    "403": {"token": "another"},
    "404": {"path": "/systems/none/v1/predict"},
    "405": {"method": "PUT"},
    "429": {"token": "scarce"},
}


@pytest.mark.parametrize("size", [2, 50_000])
@pytest.mark.parametrize("code", REFUSED)
def test_over_http2_a_refusal_comes_after_the_body_and_resets_nothing(edge, code, size):
    """Many clients tell of a reset in place of the answer that came before it."""
    asked = {"method": "POST", "path": LOANS, "token": "desk"} | REFUSED[code]
    pseudo = [(":method", asked["method"]), (":scheme", "https"), (":authority", "x"), (":path", asked["path"])]
    systems = ("another",) if asked["token"] == "another" else ("loans",)
    token = edge.token("desk" if asked["token"] == "another" else asked["token"] or "desk", systems)
    allowed = [("authorization", f"Bearer {token if asked['token'] else 'x'}")]
    headers = [*pseudo, *allowed, ("content-length", str(size))]
    answers = [h2(edge).ask_slowly(headers, b" " * size) for _ in range(4 if code == "429" else 1)]
    assert answers[-1] == (code, False)
    assert not any(reset for _, reset in answers)


def test_over_http2_the_body_of_a_known_caller_is_read_up_to_the_systems_limit(edge):
    """Beyond what is read of anybody: 60,000 bytes."""
    pseudo = [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", LOANS)]
    foreign = [("authorization", f"Bearer {edge.token(systems=('another',))}"), ("content-length", "64000")]
    assert h2(edge).ask_slowly([*pseudo, *foreign], b" " * 64_000) == ("403", False)


def test_nobody_is_read_without_a_bound_where_no_route_says_one(edge):
    """Not by a path that leads nowhere, nor before it is known who sends."""
    for path in ("/nowhere", LOANS):
        with edge.connect() as sock:
            sock.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n".encode())
            with suppress(OSError):
                for _ in range(200):
                    sock.sendall(b"x" * 1_000)
            assert told(sock).split()[1] in ("401", "413")


BROKEN = {
    "capitals": ("X-Upper", "1"),
    "coding": ("transfer-encoding", "chunked"),
    "connection": ("connection", "close"),
    "a line in a value": ("x-a", "b\r\nx-mlstrata-version: 9"),
    "a line in a name": ("x-a\r\nx-mlstrata-version", "9"),
    "a space in a name": ("x a", "b"),
    "a second path": (":path", "/versions/9"),
    "nothing byte": ("x-a", "\x00"),
    "another length": ("content-length", "1"),
    "too large": ("x-large", "x" * 20_000),
}


@pytest.mark.parametrize("name", BROKEN)
def test_over_http2_what_would_mean_something_else_in_http1_is_refused(edge, process, name):
    before = dict(process.seen)
    assert over_h2(edge, BROKEN[name]) in ("goaway", "reset", "400", "431")
    assert dict(process.seen) == before


CUT_OFF = "envoy_listener_downstream_cx_transport_socket_connect_timeout"


def test_whoever_connects_and_says_nothing_is_cut_off_and_blocks_no_figures(hasty):
    """64 connections are allowed here, and a second to say the first word: by then the silent ones are gone."""
    before = hasty.figure(CUT_OFF)
    silent = [socket.create_connection(("127.0.0.1", hasty.settings.port), timeout=PATIENCE) for _ in range(70)]
    try:
        assert hasty.figure("envoy_listener_downstream_cx_total") > 0, "who asks for figures is answered meanwhile"
        assert [one.recv(1) for one in silent[:10]] == [b""] * 10
        # By that rule and no other: not as the seventieth, nor for being idle.
        assert hasty.figure(CUT_OFF) >= before + 10
    finally:
        for one in silent:
            one.close()
    eventually(lambda: _answers(hasty))


def _answers(edge):
    try:
        return edge.ask().status_code == 200
    except httpx.TransportError:
        return False


def test_what_lies_in_the_gateways_folder_holds_no_secret_but_the_certificates_key(edge):
    for path in edge.settings.directory.iterdir():
        secret = "PRIVATE KEY" in path.read_text()
        assert secret == (path.name == "tls.json"), path
        assert path.stat().st_mode & 0o077 == 0, path
        assert '"d":' not in path.read_text()
    assert json.loads((edge.settings.directory / "gateway.json").read_text())["tls"] is True
