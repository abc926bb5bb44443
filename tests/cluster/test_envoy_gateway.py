"""Envoy Gateway itself accepts an environment's routes and policies; an Envoy that is told so does what they say."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from components.binaries import runtime_folder
from components.supervision.sockets import pick
from services.gateway.certificates import make_authority, make_server
from services.gateway.settings import AUDIENCE
from tests.support.cluster import Json
from tests.support.envoy_gateway import Beside, ours, states, static, translated
from tests.support.rendered import ROOT, STAGES, rendered

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

    def ask(
        self, token: str = "", *, path: str = f"/systems/{SYSTEM}/v1/predict", size: int = 2, **headers: str
    ) -> int:
        sent = headers | ({"authorization": f"Bearer {token}"} if token else {})
        answer = httpx.post(self.address + path, content=b"0" * size, headers=sent, verify=False, timeout=10)  # noqa: S501
        return answer.status_code

    def token(self, consumer: str, **claims: Any) -> str:
        now = int(time.time())
        said = {"iss": self.issuer, "aud": AUDIENCE, "sub": consumer, "systems": [SYSTEM], "iat": now, "exp": now + 600}
        return jwt.encode(said | claims, KEY, algorithm="ES256", headers={"kid": "test"})


class Answering(BaseHTTPRequestHandler):
    seen: list[str | None] = []  # noqa: RUF012 - one list for all requests

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.seen.append(self.headers.get("x-mlstrata-consumer"))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def door(environment: list[Json], translation: Json, beside: Beside, tmp_path: Path) -> Iterator[Door]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    Answering.seen.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = pick(set())
    told = static(translation, beside, listen=port, backend=server.server_port)
    (tmp_path / "envoy.json").write_text(json.dumps(told), encoding="utf-8")
    log = (tmp_path / "envoy.log").open("wb")
    envoy = subprocess.Popen(
        [str(runtime_folder(ROOT) / "envoy"), "-c", str(tmp_path / "envoy.json"), "--disable-hot-restart"],
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
        end = time.monotonic() + 30
        while True:
            assert envoy.poll() is None, (tmp_path / "envoy.log").read_text(encoding="utf-8")[-3000:]
            try:
                made.ask()
                break
            except httpx.TransportError:
                assert time.monotonic() < end
                time.sleep(0.1)
        yield made
    finally:
        envoy.kill()
        envoy.wait(10)
        server.shutdown()
        server.server_close()
        log.close()


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
    with httpx.Client(verify=False) as client:  # noqa: S501 - its own certificate
        address = f"{door.address}/systems/{SYSTEM}/v1/predict"
        sent = [
            client.post(address, headers={"authorization": f"Bearer {token}"}).status_code for _ in range(4 * limit)
        ]
    assert set(sent) == {200, 429}
    assert sent[:limit] == [200] * limit
