"""Envoy Gateway itself accepts an environment's routes and policies; an Envoy that is told so does what they say."""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from mlstrata.components.gateway.system_route import ON
from mlstrata.environments.installation import programs_folder
from mlstrata.services.gateway.certificates import make_authority, make_server
from mlstrata.services.gateway.settings import AUDIENCE, FEW_RETRIES, RETRY_SHARE
from mlstrata.services.serving.settings import MOST_AT_ONCE, OVERLOADED_HEADER, TIMEOUT_HEADER
from tests.support.cluster import Json
from tests.support.envoy_gateway import Beside, ours, states, static, translated
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_port
from tests.support.rendered import STAGES, rendered

SYSTEM, CONSUMER, OTHER = "mortgage-approval", "underwriter-desk", "load-test"
PREDICT = f"/systems/{SYSTEM}/v1/predict"
KEY = ec.generate_private_key(ec.SECP256R1())
KINDS = {
    *("GatewayClass", "Gateway", "HTTPRoute", "EnvoyProxy"),
    *("SecurityPolicy", "ClientTrafficPolicy", "BackendTrafficPolicy"),
}


@pytest.fixture(scope="module")
def beside() -> Beside:
    public = json.loads(ECAlgorithm.to_jwk(KEY.public_key())) | {"kid": "test", "alg": "ES256"}
    key, certificate = make_server(*make_authority("test"))
    return Beside(json.dumps({"keys": [public]}), certificate, key)


@pytest.fixture(scope="module", params=["dev", "staging"])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    """Render an environment at the last stage; return what of it is for the gateway."""
    folder = tmp_path_factory.mktemp(f"gateway-{request.param}")
    return ours(rendered(request.param, STAGES[-1], folder))


@pytest.fixture
def translation(environment: list[Json], beside: Beside, tmp_path: Path) -> Json:
    return translated([*environment, *beside.objects(environment)], tmp_path)


def test_everything_is_accepted(environment: list[Json], translation: Json):
    found = states(translation)
    expected = {(one["kind"], one["metadata"]["name"]) for one in environment if one["kind"] in KINDS}
    assert {kind for kind, _ in expected} == KINDS
    assert set(found) >= expected
    for name in expected:
        assert found[name], f"{name}: nothing is said"
        assert [one for one in found[name] if one["status"] != "True"] == [], name


def test_what_prod_tells_its_load_balancer_is_accepted(beside: Beside, tmp_path: Path):
    found = ours(rendered("prod", STAGES[-1], tmp_path))
    [proxy] = [one for one in found if one["kind"] == "EnvoyProxy"]
    service = proxy["spec"]["provider"]["kubernetes"]["envoyService"]
    assert service["annotations"]["service.beta.kubernetes.io/aws-load-balancer-scheme"] == "internal"
    said = states(translated([*found, *beside.objects(found)], tmp_path))
    # A service that is none it does not even read; of another wrong proxy it tells the class.
    kinds = {"GatewayClass", "Gateway"}
    told = [condition for (kind, _), conditions in said.items() if kind in kinds for condition in conditions]
    assert {one["type"] for one in told} >= {"Accepted", "Programmed"}
    assert [one for one in told if one["status"] != "True"] == []


def test_routes_live_where_the_listener_looks(environment: list[Json]):
    """The translation opens the listener to all namespaces; here its own selector is held against theirs."""
    spaces = {one["metadata"]["name"]: one["metadata"]["labels"] for one in environment if one["kind"] == "Namespace"}
    [gateway] = [one for one in environment if one["kind"] == "Gateway"]
    [listener] = gateway["spec"]["listeners"]
    wanted = listener["allowedRoutes"]["namespaces"]["selector"]["matchLabels"]
    routes = [one for one in environment if one["kind"] == "HTTPRoute"]
    assert routes
    for route in routes:
        assert wanted.items() <= spaces[route["metadata"]["namespace"]].items()


def test_a_policy_without_its_keys_is_refused(environment: list[Json], beside: Beside, tmp_path: Path):
    """It does look: of a policy whose keys are missing it says that it is invalid."""
    there = [one for one in beside.objects(environment) if one["kind"] != "ConfigMap"]
    found = states(translated([*environment, *there], tmp_path))
    refused = [one for (kind, _), said in found.items() if kind == "SecurityPolicy" for one in said]
    assert refused
    assert {one["status"] for one in refused if one["type"] == "Accepted"} == {"False"}


@dataclass
class Door:
    """An Envoy that was told what Envoy Gateway would tell it, in front of something that answers."""

    address: str
    issuer: str

    def asked(self, token: str = "", *, path: str = PREDICT, size: int = 2, **headers: str) -> httpx.Response:
        sent = headers | ({"authorization": f"Bearer {token}"} if token else {})
        return httpx.post(self.address + path, content=b"0" * size, headers=sent, verify=False)  # noqa: S501 - loopback

    def ask(self, token: str = "", **request: Any) -> int:
        return self.asked(token, **request).status_code

    def token(self, consumer: str, **claims: Any) -> str:
        now = int(time.time())
        said = {"iss": self.issuer, "aud": AUDIENCE, "sub": consumer, "systems": [SYSTEM], "iat": now, "exp": now + 600}
        return jwt.encode(said | claims, KEY, algorithm="ES256", headers={"kid": "test"})


class Answering(BaseHTTPRequestHandler):
    seen: list[str | None] = []  # noqa: RUF012 - one list for all requests
    waits: list[str | None] = []  # noqa: RUF012 - as above
    free = threading.Event()
    """Set by the test that lets a held request go."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.seen.append(self.headers.get("x-mlstrata-consumer"))
        self.waits.append(self.headers.get(TIMEOUT_HEADER))
        if self.headers.get("x-test-held"):
            self.free.wait(PATIENCE)
        # A pod that has more to do than it can.
        beyond = self.headers.get("x-test-beyond")
        self.send_response(503 if beyond else 200)
        if beyond:
            self.send_header(OVERLOADED_HEADER, "1")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def opened(environment: list[Json], translation: Json, beside: Beside, folder: Path) -> Iterator[Door]:
    """Run an Envoy that is told a translation, before a server that says who asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    Answering.seen.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    told = static(translation, beside, listen=port, backend=server.server_port)
    (folder / "envoy.json").write_text(json.dumps(told), encoding="utf-8")
    log = (folder / "envoy.log").open("wb")
    envoy = subprocess.Popen(
        [str(programs_folder() / "envoy"), "-c", str(folder / "envoy.json"), "--disable-hot-restart"],
        stdout=log,
        stderr=log,
    )
    try:
        [issuer] = {
            one["issuer"]
            for policy in environment
            if policy["kind"] == "SecurityPolicy"
            for one in policy["spec"]["jwt"]["providers"]
        }
        made = Door(f"https://127.0.0.1:{port}", issuer)

        def answers() -> bool:
            assert envoy.poll() is None, (folder / "envoy.log").read_text(encoding="utf-8")[-3000:]
            try:
                made.ask()
            except httpx.TransportError:
                return False
            return True

        eventually(answers)
        yield made
    finally:
        envoy.kill()
        envoy.wait(PATIENCE)
        server.shutdown()
        server.server_close()
        log.close()


@pytest.fixture
def door(environment: list[Json], translation: Json, beside: Beside, tmp_path: Path) -> Iterator[Door]:
    with opened(environment, translation, beside, tmp_path) as made:
        yield made


def test_envoy_lets_in_who_may_and_no_other(door: Door):
    assert door.ask() == 401
    assert door.ask("not.a.token") == 401
    assert door.ask(door.token(CONSUMER, exp=1)) == 401
    # Who it is is known then, so Envoy says 403.
    assert door.ask(door.token(CONSUMER, aud="another")) == 403
    assert door.ask(door.token("stranger")) == 403
    assert door.ask(door.token(CONSUMER, systems=["ticket-routing"])) == 403
    assert door.ask(door.token(CONSUMER), path="/systems/another/v1/predict") == 404
    assert Answering.seen == []
    # What a caller says of itself is not believed.
    assert door.ask(door.token(CONSUMER), **{"x-mlstrata-consumer": OTHER}) == 200
    assert Answering.seen == [CONSUMER]
    assert door.ask(door.token(CONSUMER), size=2_000_000) == 413
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert door.ask(authorization=f"{scheme} {door.token(CONSUMER)}") == 200


def test_envoy_holds_each_consumer_to_its_rate(door: Door, environment: list[Json]):
    [policy] = [
        one for one in environment if (one["kind"], one["metadata"]["name"]) == ("BackendTrafficPolicy", SYSTEM)
    ]
    rules = policy["spec"]["rateLimit"]["local"]["rules"]
    [(limit, unit)] = [
        (one["limit"]["requests"], one["limit"]["unit"])
        for one in rules
        if one["clientSelectors"][0]["headers"][0]["value"] == CONSUMER
    ]
    assert unit == "Second"
    token = door.token(CONSUMER)
    assert [door.ask(token) for _ in range(limit)] == [200] * limit
    # All at once, so that on any machine more come within a second than the rate allows.
    with ExitStack() as held, ThreadPoolExecutor(4 * limit) as pool:
        clients = [held.enter_context(httpx.Client(verify=False)) for _ in range(4 * limit)]  # noqa: S501 - loopback
        address = f"{door.address}/systems/{SYSTEM}/v1/predict"
        sent = {"headers": {"authorization": f"Bearer {token}"}}

        def burst() -> set[int]:
            return {one.result().status_code for one in [pool.submit(one.post, address, **sent) for one in clients]}

        assert burst() <= {200, 429}
        eventually(lambda: 429 in burst())


RATES = {CONSUMER: 5, OTHER: 8}
"""Requests a minute, so few that none is given back while a test runs."""
OUTGOING = f"/systems/{SYSTEM}/v1/predict"
CURRENT = f"/systems/{SYSTEM}/v2/predict"


def _two_versions(text: str) -> str:
    """Give a system two versions of its interface, the first on its way out, small rates and little time."""
    line = "consumers: [{name: underwriter-desk, rate: 5/s}, {name: load-test, rate: 100/s}]"
    assert line in text
    rates = ", ".join(f"{{name: {name}, rate: {count}/m}}" for name, count in RATES.items())
    versions = 'api_versions: [v1, v2]\n      deprecations: [{api: v1, since: "2026-12-01", sunset: "2027-06-01"}]'
    return text.replace(line, f"consumers: [{rates}]\n      {versions}\n      limits: {{timeout: 5s}}")


@pytest.fixture(scope="module")
def two_versions(beside: Beside, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Json], Json]:
    """Return dev with two versions of an interface, and what Envoy Gateway makes of it."""
    folder = tmp_path_factory.mktemp("two-versions")
    found = ours(rendered("dev", STAGES[-1], folder, _two_versions))
    return found, translated([*found, *beside.objects(found)], folder)


@pytest.fixture
def narrow(two_versions: tuple[list[Json], Json], beside: Beside, tmp_path: Path) -> Iterator[Door]:
    """Run a new Envoy for each test: what one test took of a rate is not the next one's."""
    with opened(*two_versions, beside, tmp_path) as made:
        yield made


def test_one_consumer_over_its_rate_leaves_the_others_theirs_whatever_version_they_ask(narrow: Door):
    scarce, other = narrow.token(CONSUMER), narrow.token(OTHER)
    paths = [OUTGOING, CURRENT]
    # A rate is a consumer's for the system: two versions do not make it two rates.
    sent = Counter(narrow.ask(scarce, path=paths[number % 2]) for number in range(3 * RATES[CONSUMER]))
    assert sent == {200: RATES[CONSUMER], 429: 2 * RATES[CONSUMER]}
    # It gets no more by calling itself somebody else, nor by another token of the same name, nor by a query.
    assert narrow.ask(scarce, **{"x-mlstrata-consumer": OTHER}) == 429
    assert narrow.ask(narrow.token(CONSUMER, jti="2"), path=CURRENT) == 429
    assert narrow.ask(scarce, path=f"{CURRENT}?again=1") == 429
    # Who is told 429 by all that has lost nothing for the other one, who has a rate of its own.
    sent = Counter(narrow.ask(other, path=paths[number % 2]) for number in range(RATES[OTHER] + 3))
    assert sent == {200: RATES[OTHER], 429: 3}
    assert Counter(Answering.seen) == RATES
    # Refused requests come before the count: nobody uses up the rate of a consumer with a token of no use.
    assert narrow.ask() == 401
    assert narrow.ask(narrow.token(CONSUMER, systems=["ticket-routing"]), path=CURRENT) == 403


def test_a_version_on_its_way_out_says_so_a_slow_answer_is_ended_and_no_other_path_is_open(narrow: Door):
    token = narrow.token(OTHER)
    old, current = narrow.asked(token, path=OUTGOING), narrow.asked(token, path=CURRENT)
    assert (old.status_code, current.status_code) == (200, 200)
    assert old.headers["deprecation"] == "@1796083200"
    assert old.headers["sunset"] == "Tue, 01 Jun 2027 00:00:00 GMT"
    assert old.headers["link"] == f'<{CURRENT}>; rel="successor-version"'
    assert not {"deprecation", "sunset", "link"} & set(current.headers)
    Answering.free.clear()
    try:
        assert narrow.ask(token, path=CURRENT, **{"x-test-held": "1"}) == 504, "it is answered before the process does"
    finally:
        Answering.free.set()
    assert narrow.ask(token, path=CURRENT, size=2_000_000) == 413
    for path in (f"/systems/{SYSTEM}/v3/predict", f"{CURRENT}/more", f"/before{CURRENT}"):
        assert narrow.ask(token, path=path) == 404


def test_the_switch_stops_every_version(two_versions: tuple[list[Json], Json], beside: Beside, tmp_path: Path):
    """Its paths are exact ones, which win over the expression that all versions share."""
    found: list[Json] = json.loads(json.dumps(two_versions[0]))
    [stop] = [one for one in found if (one["kind"], one["metadata"]["name"]) == ("HTTPRoute", f"{SYSTEM}-stop")]
    for match in stop["spec"]["rules"][0]["matches"]:
        match["headers"] = [ON]
    told = translated([*found, *beside.objects(found)], tmp_path)
    with opened(found, told, beside, tmp_path) as stopped:
        token = stopped.token(CONSUMER)
        assert {stopped.ask(token, path=path) for path in (OUTGOING, CURRENT)} == {503}
        assert Answering.seen == []


def test_beyond_what_it_takes_at_once_a_caller_is_told_when_to_ask_again(two_versions, beside, tmp_path):
    found: list[Json] = json.loads(json.dumps(two_versions[0]))
    [limits] = [one for one in found if (one["kind"], one["metadata"]["name"]) == ("BackendTrafficPolicy", SYSTEM)]
    limits["spec"]["circuitBreaker"] |= {"maxParallelRequests": 1}
    del limits["spec"]["rateLimit"]
    told = translated([*found, *beside.objects(found)], tmp_path)
    with opened(found, told, beside, tmp_path) as door, ThreadPoolExecutor(1) as pool:
        token = door.token(CONSUMER)
        before = len(Answering.seen)
        Answering.free.clear()
        try:
            held = pool.submit(door.asked, token, path=CURRENT, **{"x-test-held": "1"})
            eventually(lambda: len(Answering.seen) > before)
            refused = door.asked(token, path=CURRENT)
        finally:
            Answering.free.set()
        assert (refused.status_code, refused.headers.get("retry-after")) == (503, "1")
        assert held.result().status_code in (200, 504)
        # A pod's own refusal is passed on, once, and without what is for the gateway alone.
        before = len(Answering.seen)
        refused = door.asked(token, path=CURRENT, **{"x-test-beyond": "1"})
        assert (refused.status_code, refused.headers.get("retry-after")) == (503, "1")
        assert OVERLOADED_HEADER not in refused.headers
        assert len(Answering.seen) == before + 1
        answered = door.asked(token, path=CURRENT, **{TIMEOUT_HEADER: "1"})
        assert answered.status_code == 200
        assert "retry-after" not in answered.headers
        assert Answering.waits[-1] == "5000", "the route's own, whatever a caller says"


def test_envoy_is_told_when_too_much_waits(two_versions: tuple[list[Json], Json], beside: Beside):
    told = static(two_versions[1], beside, listen=1, backend=2)
    [cluster] = [one for one in told["staticResources"]["clusters"] if SYSTEM in one["name"]]
    [bounds] = cluster["circuitBreakers"]["thresholds"]
    [policy] = [
        one for one in two_versions[0] if (one["kind"], one["metadata"]["name"]) == ("BackendTrafficPolicy", SYSTEM)
    ]
    declared = policy["spec"]["circuitBreaker"]
    assert bounds["maxRequests"] == declared["maxParallelRequests"] >= MOST_AT_ONCE
    assert bounds["maxConnections"] > bounds["maxRequests"], "no request waits for another one's connection"
    assert bounds["retryBudget"] == {"budgetPercent": {"value": RETRY_SHARE}, "minRetryConcurrency": FEW_RETRIES}


def test_envoy_is_told_to_ask_another_pod_only_where_the_first_cannot_have_begun(two_versions, beside):
    told = static(two_versions[1], beside, listen=1, backend=2)
    routes = json.dumps(told["staticResources"]["listeners"])
    assert '"retryOn": "connect-failure,refused-stream,reset-before-request"' in routes
    # The first one is not asked again.
    assert "envoy.retry_host_predicates.previous_hosts" in routes
