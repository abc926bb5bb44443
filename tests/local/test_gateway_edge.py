"""The gateway at its limits: an Envoy before a stand-in for the prediction process, so that it can be slow."""

import ssl
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest

from mlstrata.files import write
from mlstrata.services.alerts.rules import CERTIFICATE_ENDS
from mlstrata.services.gateway import tokens
from mlstrata.services.gateway.render import render_tokens as render_token_check
from mlstrata.services.gateway.render import to_text
from mlstrata.services.gateway.settings import TOKENS_FILE
from mlstrata.services.serving.releases import Releases
from tests.support.gateway import ISSUER, LOANS, NARROW, UPPER, Edge, StandIn, told
from tests.support.patience import PATIENCE, eventually


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


@pytest.fixture(scope="module")
def hasty(tmp_path_factory, process):
    made = Edge(tmp_path_factory.mktemp("hasty"), process.port, hasty=True)
    yield made
    made.process.kill()


def connected(edge):
    """Return a connection: on a busy machine a hasty gateway may hang up while one is being made."""
    made = []

    def connects():
        with suppress(OSError):
            made.append(edge.connect())
        return made

    eventually(connects)
    return made[0]


def test_a_request_comes_through_and_says_for_whom(edge):
    assert edge.ask().json()["consumer"] == "desk"


def trickled(edge, head):
    """Return the status of what comes back while bytes go there without an end: silence is not what ends it."""
    with connected(edge) as sock:
        sock.sendall(head)
        sock.settimeout(0.05)
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE:
            with suppress(TimeoutError):
                return told(sock).split()[1]
            with suppress(OSError):
                sock.sendall(b"x")
    raise AssertionError("it takes bytes for ever")


def test_a_body_that_trickles_in_is_408(hasty):
    assert trickled(hasty, hasty.head(length=1_000_000) + b"\r\n") == "408"


def test_headers_that_trickle_in_are_408(hasty):
    assert trickled(hasty, hasty.head() + b"x-slow: ") == "408"


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
    edge.route({"loans": Releases(champion="6")})
    assert edge.ask(token).status_code == 429


def test_a_quota_is_429_and_outlives_a_release(edge):
    token = edge.token("counted")
    assert [edge.ask(token).status_code for _ in range(3)] == [200] * 3
    edge.route({"loans": Releases(champion="7")})
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


def test_beyond_what_the_process_takes_at_once_is_503_at_once(edge, process):
    token = edge.token("other", systems=("narrow",))
    allowed = {"authorization": f"Bearer {token}"}
    with ExitStack() as held, ThreadPoolExecutor(8) as pool:
        clients = [held.enter_context(httpx.Client(verify=edge.trust, trust_env=False)) for _ in range(8)]
        process.free.clear()
        wish = {"content": b'{"held": true}', "headers": allowed}
        asked = [pool.submit(client.post, edge.url + NARROW, **wish) for client in clients]
        try:
            # At once is before the process has answered anybody.
            eventually(lambda: sum(one.done() for one in asked) >= 5)
            for answer in (one.result() for one in asked if one.done()):
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
                assert answer.json()["error"]["code"] == "overloaded"
                assert answer.json()["request_id"] == answer.headers["x-request-id"]
            assert edge.ask().status_code == 200, "another system's requests do not wait for it"
            assert httpx.get(f"{edge.url}/healthz", verify=edge.trust, trust_env=False).status_code == 200
        finally:
            process.free.set()
        codes = Counter(one.result().status_code for one in asked)
    assert codes[200] >= 1
    assert set(codes) == {200, 503}
    # And it recovers.
    assert edge.ask(token, path=NARROW).status_code == 200


def test_the_process_learns_how_long_a_caller_waits(edge, process):
    assert edge.ask(**{"x-envoy-expected-rq-timeout-ms": "1"}).status_code == 200
    assert process.headers["x-envoy-expected-rq-timeout-ms"] == str(int(PATIENCE * 1000))


def test_what_the_process_began_is_not_asked_again(edge, process):
    before = process.seen[LOANS]
    assert edge.ask(body=b'{"status": 500}').status_code == 500
    assert process.seen[LOANS] == before + 1


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_case_of_a_scheme_says_nothing(edge, scheme):
    assert edge.ask(authorization=f"{scheme} {edge.token()}").status_code == 200
    assert edge.ask(authorization=f"{scheme} {edge.token()[:-8]}").status_code == 401


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
        self._answers = [0] * 3
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(3)]

    def _run(self, number: int) -> None:
        with httpx.Client(verify=self.edge.trust, trust_env=False) as client:
            while not self._end.is_set():
                try:
                    headers = {"authorization": f"Bearer {self.token}"}
                    self.codes[client.post(self.edge.url + LOANS, headers=headers, content=b"{}").status_code] += 1
                except httpx.TransportError as error:
                    self.codes[type(error).__name__] += 1
                self._answers[number] += 1

    def __enter__(self) -> "Traffic":
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for one in self._threads:
            one.join()

    def more(self, count: int = 5) -> None:
        """Wait until each caller has so many more answers: none of them asks with what was valid before."""
        wanted = [answers + count for answers in self._answers]
        eventually(lambda: all(now >= then for now, then in zip(self._answers, wanted, strict=True)))


def test_keys_and_certificate_change_under_load_with_no_failed_request(edge):
    first, second = edge.key, tokens.generate_key()

    def accept(*keys):
        settings = edge.settings.model_copy(update={"jwks": tokens.public_jwks(*keys)})
        write(edge.settings.directory / TOKENS_FILE, to_text(render_token_check(settings)))

    def steadily(token, status):
        # Each on a connection of its own, so that each may be another thread of Envoy's.
        eventually(lambda: {edge.ask(token).status_code for _ in range(10)} == {status})

    serial = _serial(edge)
    old, new = edge.token(), edge.token(key=second)
    assert edge.ask(new).status_code == 401
    with Traffic(edge, old) as traffic:
        traffic.more()
        accept(first, second)
        steadily(new, 200)
        assert edge.ask(old).status_code == 200
        traffic.token = new
        edge.certify()
        eventually(lambda: _serial(edge) != serial)
        # What was asked with the old token has its answer.
        traffic.more()
        accept(second)
        steadily(old, 401)
        traffic.more()
    accept(first)
    steadily(old, 200)
    assert set(traffic.codes) == {200}


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
