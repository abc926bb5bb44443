"""The gateway at its limits: an Envoy before a stand-in for the prediction process, so that it can be slow."""

import ssl
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest

from mlstrata.files import write
from mlstrata.services.alerts.rules import CERTIFICATE_ENDS
from mlstrata.services.gateway import tokens
from mlstrata.services.gateway.render import render_routes, to_text
from mlstrata.services.gateway.render import render_tokens as render_token_check
from mlstrata.services.gateway.settings import ROUTES_FILE, TOKENS_FILE
from mlstrata.services.serving.releases import Releases
from tests.support.command import eventually
from tests.support.gateway import ISSUER, LOANS, NARROW, UPPER, Edge, StandIn, told


@pytest.fixture(scope="module")
def process():
    made = StandIn()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def edge(tmp_path_factory, process):
    made = Edge(tmp_path_factory.mktemp("edge"), process.port)
    yield made
    made.process.kill()


def test_a_request_comes_through_and_says_for_whom(edge):
    assert edge.ask().json()["consumer"] == "desk"


def test_a_body_that_trickles_in_is_408(edge):
    with edge.connect() as sock:
        begun = time.monotonic()
        sock.sendall(edge.head(length=1000) + b"\r\n")
        for _ in range(4):
            sock.sendall(b"x")
            time.sleep(0.2)
        assert told(sock).split()[1] == "408"
    # The time of the whole request, not of the silence within it.
    assert 1.5 < time.monotonic() - begun < 10


def test_headers_that_trickle_in_are_408(edge):
    with edge.connect() as sock:
        sock.sendall(edge.head() + b"x-slow: ")
        assert told(sock).split()[1] == "408"


@pytest.mark.parametrize(
    "raw",
    [
        b"NOT HTTP AT ALL\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        b"POST / HTTP/1.1\r\nhost: x\r\nbad header: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\nx_under: 1\r\n\r\n",
    ],
)
def test_what_is_no_good_http_is_400(edge, raw):
    """Two lengths, or a length and chunks, are how a request is hidden within another."""
    with edge.connect() as sock:
        sock.sendall(raw)
        assert told(sock).split()[1] == "400"


def test_large_headers_and_many_are_431(edge):

    large = edge.ask(**{"x-large": "x" * 20_000})
    assert large.status_code == 431
    many = edge.ask(**{f"x-{count}": "1" for count in range(80)})
    assert many.status_code == 431


def test_an_oversized_body_is_413_and_never_reaches_the_process(edge, process):
    before = process.seen[LOANS]
    answer = edge.ask(body=b'{"a": "' + b"x" * 65_536 + b'"}')
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"
    assert process.seen[LOANS] == before


def test_bad_tokens_are_401_and_foreign_systems_403(edge):
    claims = {"iss": ISSUER, "sub": "desk", "aud": "mlstrata", "systems": ["loans"]}
    soon, past = datetime.now(UTC) + timedelta(minutes=5), datetime.now(UTC) - timedelta(minutes=5)
    expired = jwt.encode(claims | {"exp": past}, edge.key, algorithm="ES256")
    unsigned = jwt.encode(claims | {"exp": soon}, "", algorithm="none")
    foreign = edge.token(key=tokens.generate_key())
    for token in (expired, unsigned, foreign, "x.y.z"):
        assert edge.ask(token).status_code == 401
    # The desk's token names the system, but the system does not know the desk; and the other way round.
    assert edge.ask(edge.token(systems=("loans", "narrow")), path=NARROW).status_code == 403
    assert edge.ask(edge.token("other", systems=("narrow",)), path=LOANS).status_code == 403


def test_over_the_rate_is_429_whatever_the_path(edge):
    """Two versions of the interface and its description give nobody three times as much; nor does a release."""
    token = edge.token("scarce")
    answers = [edge.ask(token), edge.ask(token, path=UPPER), edge.ask(token)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert "x-mlstrata-limit" not in answers[-1].headers
    assert edge.ask(token, path=UPPER).status_code == 429
    with httpx.Client(verify=edge.trust, trust_env=False) as client:
        described = client.get(
            edge.url + LOANS.replace("predict", "openapi.json"), headers={"authorization": f"Bearer {token}"}
        )
    assert described.status_code == 429
    routes = render_routes(edge.settings, {"loans": Releases(champion="6")})
    write(edge.settings.directory / ROUTES_FILE, to_text(routes))
    time.sleep(0.5)
    assert edge.ask(token).status_code == 429


def test_a_quota_is_429_and_outlives_a_release(edge):
    token = edge.token("counted")
    assert [edge.ask(token).status_code for _ in range(3)] == [200] * 3
    routes = render_routes(edge.settings, {"loans": Releases(champion="7")})
    write(edge.settings.directory / ROUTES_FILE, to_text(routes))
    time.sleep(0.5)
    after = [edge.ask(token) for _ in range(4)]
    assert [one.status_code for one in after] == [200, 200, 429, 429]
    assert after[-1].headers["x-mlstrata-limit"] == "quota"
    assert after[-1].json()["error"]["code"] == "rate_limited"
    assert edge.ask().status_code == 200


def test_an_outgoing_version_says_so_and_its_successor_does_not(edge):
    old, new = edge.ask(), edge.ask(path=UPPER)
    assert (old.status_code, new.status_code) == (200, 200)
    assert old.headers["deprecation"] == f"@{int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())}"
    assert old.headers["sunset"] == "Thu, 01 Apr 2027 00:00:00 GMT"
    assert old.headers["link"] == '</systems/loans/v2/predict>; rel="successor-version"'
    assert not {"deprecation", "sunset", "link"} & set(new.headers)


def test_beyond_what_the_process_takes_at_once_is_503_at_once(edge):
    token = edge.token("other", systems=("narrow",))
    allowed = {"authorization": f"Bearer {token}"}
    with ExitStack() as held, ThreadPoolExecutor(8) as pool:
        clients = [held.enter_context(httpx.Client(verify=edge.trust, trust_env=False, timeout=300)) for _ in range(8)]
        # Connected first, which takes a busy machine long: what is measured begins for all of them at once.
        assert {client.get(f"{edge.url}/healthz").status_code for client in clients} == {200}
        slow = {"content": b'{"sleep_ms": 1500}', "headers": allowed}
        asked = [pool.submit(client.post, edge.url + NARROW, **slow) for client in clients]
        answers = [one.result() for one in asked]
    codes = Counter(one.status_code for one in answers)
    assert codes[200] >= 1
    assert codes[503] >= 5
    assert set(codes) == {200, 503}
    assert max(one.elapsed.total_seconds() for one in answers if one.status_code == 503) < 1.4
    # And it recovers.
    assert edge.ask(token, path=NARROW).status_code == 200


def test_what_the_process_began_is_not_asked_again(edge, process):
    before = process.seen[LOANS]
    assert edge.ask(body=b'{"status": 500}').status_code == 500
    assert process.seen[LOANS] == before + 1


def test_beyond_the_connections_allowed_a_caller_is_refused_and_the_others_are_not(edge):
    held = []
    refused = 0
    with httpx.Client(verify=edge.trust, trust_env=False) as client:
        allowed = {"authorization": f"Bearer {edge.token()}"}
        assert client.post(edge.url + LOANS, headers=allowed, content=b"{}").status_code == 200
        try:
            for _ in range(80):
                try:
                    held.append(edge.connect())
                except OSError:
                    refused += 1
            assert refused >= 10
            assert client.post(edge.url + LOANS, headers=allowed, content=b"{}").status_code == 200
        finally:
            for one in held:
                one.close()


def test_without_the_authority_nobody_is_trusted_and_plain_http_is_nothing(edge):
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{edge.url}/healthz", trust_env=False)
    with pytest.raises(httpx.TransportError):
        httpx.get(edge.url.replace("https", "http") + "/healthz", trust_env=False)
    old = ssl.create_default_context(cafile=str(edge.ca))
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert httpx.get(f"{edge.url}/healthz", verify=old, trust_env=False).status_code == 200


class Traffic:
    """Requests on kept connections while the block runs, with the token of the moment."""

    def __init__(self, edge: Edge, token: str) -> None:
        self.edge, self.token, self.codes, self._end = edge, token, Counter(), threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(3)]

    def _run(self) -> None:
        with httpx.Client(verify=self.edge.trust, trust_env=False, timeout=300) as client:
            while not self._end.is_set():
                try:
                    headers = {"authorization": f"Bearer {self.token}"}
                    self.codes[client.post(self.edge.url + LOANS, headers=headers, content=b"{}").status_code] += 1
                except httpx.TransportError as error:
                    self.codes[type(error).__name__] += 1

    def __enter__(self) -> "Traffic":
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for one in self._threads:
            one.join()


def test_keys_and_certificate_change_under_load_with_no_failed_request(edge):
    first, second = edge.key, tokens.generate_key()

    def accept(*keys):
        settings = edge.settings.model_copy(update={"jwks": tokens.public_jwks(*keys)})
        write(edge.settings.directory / TOKENS_FILE, to_text(render_token_check(settings)))

    def until(token, status):
        end = time.monotonic() + 30
        while edge.ask(token).status_code != status:
            assert time.monotonic() < end
            time.sleep(0.05)

    serial = _serial(edge)
    old, new = edge.token(), edge.token(key=second)
    assert edge.ask(new).status_code == 401
    with Traffic(edge, old) as traffic:
        time.sleep(0.3)
        accept(first, second)
        until(new, 200)
        assert edge.ask(old).status_code == 200
        traffic.token = new
        edge.certify()
        time.sleep(1)
        accept(second)
        until(old, 401)
        time.sleep(0.3)
    accept(first)
    until(old, 200)
    assert set(traffic.codes) == {200}
    assert traffic.codes[200] > 10
    assert _serial(edge) != serial


def test_prometheus_is_told_when_the_certificate_ends(edge):
    edge.certify(days=5)
    soon = time.time() + 5 * 86400

    def told():
        lines = httpx.get(f"{edge.admin}/stats/prometheus", trust_env=False).text.splitlines()
        ends = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{CERTIFICATE_ENDS}{{")]
        return ends and abs(max(ends) - soon) < 3600

    try:
        eventually(told)
    finally:
        edge.certify()


def _serial(edge):
    with edge.connect() as sock:
        return sock.getpeercert()["serialNumber"]
