"""The gateway, for real: Envoy before MLServer, and who gets through."""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx
import jwt
import pytest

from mlstrata.files import write
from mlstrata.operations.releases import release
from mlstrata.operations.releases.local.gateway import Gateway
from mlstrata.services.gateway import tokens
from mlstrata.services.gateway.render import routes_digest, to_text
from mlstrata.services.gateway.routes import render_routes
from mlstrata.services.gateway.settings import ROUTES_FILE
from mlstrata.services.serving.releases import Releases
from tests.support.own_model import Held
from tests.support.patience import PATIENCE, eventually

SYSTEM = "gateway-test"
ISSUER = "mlstrata/test"


@pytest.fixture(scope="module")
def empty(platforms, registered):
    """Started, nothing released."""
    return platforms(SYSTEM, registered.uri)


@pytest.fixture(scope="module")
def gateway(empty):
    """The same with version 1 released, after it said 503 without."""
    answer = empty.predict()
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "no_version"
    done = release(empty.context(), SYSTEM, "1", reason="first")
    assert done.changed
    return empty


def forged(gateway, key=None, algorithm="ES256", **changes):
    now = datetime.now(UTC)
    claims = {"iss": ISSUER, "sub": "desk", "aud": "mlstrata", "systems": [SYSTEM], "exp": now + timedelta(minutes=5)}
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    kid = tokens.public_jwks(gateway.key)["keys"][0]["kid"]
    return jwt.encode(claims, gateway.key if key is None else key, algorithm=algorithm, headers={"kid": kid})


def test_a_prediction_comes_with_probability_version_and_request_id(gateway):
    answer = gateway.predict()
    assert answer.status_code == 200
    body = answer.json()
    assert 0 <= body["predictions"][0]["probability"] <= 1
    assert body["model"] == {"system": SYSTEM, "version": "1"}
    assert answer.headers.get_list("x-request-id") == [body["request_id"]]
    assert answer.headers["x-ratelimit-limit"].startswith("100000")
    assert "server" not in answer.headers
    assert not [name for name in answer.headers if name.startswith("x-envoy")]


def test_health_needs_no_token(gateway):
    answer = httpx.get(f"{gateway.url}/healthz", trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


REFUSED = {
    "none": lambda gateway: "",
    "garbage": lambda gateway: "garbage",
    "expired": lambda gateway: forged(gateway, exp=datetime.now(UTC) - timedelta(seconds=30)),
    "never expires": lambda gateway: forged(gateway, exp=None),
    "not yet valid": lambda gateway: forged(gateway, nbf=datetime.now(UTC) + timedelta(minutes=5)),
    "foreign key": lambda gateway: forged(gateway, key=tokens.generate_key()),
    "foreign issuer": lambda gateway: forged(gateway, iss="mlstrata/prod"),
    "alg none": lambda gateway: forged(gateway, key="", algorithm="none"),
    "public key as a secret": lambda gateway: forged(
        gateway, key=json.dumps(tokens.public_jwks(gateway.key)) + "x" * 32, algorithm="HS256"
    ),
    "changed claims": lambda gateway: _tampered(gateway.token("scarce")),
}


def _tampered(token):
    head, claims, signature = token.split(".")
    opened = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    again = base64.urlsafe_b64encode(json.dumps(opened | {"sub": "desk"}).encode()).rstrip(b"=").decode()
    return ".".join((head, again, signature))


@pytest.mark.parametrize("name", REFUSED)
def test_a_token_that_is_not_good_is_401(gateway, name):
    answer = gateway.predict(token=REFUSED[name](gateway))
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthenticated"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_token_in_the_address_is_not_taken(gateway):
    query = urlencode({"access_token": gateway.token()})
    assert gateway.predict(token="", path=f"/systems/{SYSTEM}/v1/predict?{query}").status_code == 401


def test_the_forging_itself_makes_good_tokens(gateway):
    """Otherwise every refusal above might have another cause."""
    assert gateway.predict(token=forged(gateway)).status_code == 200


@pytest.mark.parametrize(
    ("consumer", "systems"),
    [("desk", ("another",)), ("desk", ()), ("removed", (SYSTEM,)), ("desk", (f"{SYSTEM}-2",)), ("des", (SYSTEM,))],
)
def test_a_token_of_others_is_403(gateway, consumer, systems):
    answer = gateway.predict(token=forged(gateway, sub=consumer, systems=list(systems)))
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "forbidden"


def test_a_token_for_another_audience_is_403(gateway):
    """Envoy's own choice: the token is genuine, it is for something else."""
    assert gateway.predict(token=forged(gateway, aud="elsewhere")).status_code == 403


def test_a_text_that_holds_the_name_is_no_list_of_systems(gateway):
    assert gateway.predict(token=forged(gateway, systems=f"x,{SYSTEM}")).status_code == 403


def test_what_is_not_there_is_404_with_a_token_and_says_nothing_without(gateway):
    token = gateway.token(systems=(SYSTEM, "absent"))
    for path in (
        "/systems/absent/v1/predict",
        f"/systems/{SYSTEM}/v2/predict",
        f"/systems/{SYSTEM}",
        "/versions/1",
        "/v2",
    ):
        answer = gateway.predict(token=token, path=path)
        assert answer.status_code == 404, path
        assert answer.json()["error"]["code"] == "unknown_path"
    assert gateway.predict(token="", path="/systems/absent/v1/predict").status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/systems/../versions/1",
        "//versions/1",
        f"/systems%2f{SYSTEM}%2fv1%2fpredict",
        f"/./systems//{SYSTEM}/v1/predict",
    ],
)
def test_another_spelling_of_a_path_goes_round_nothing(gateway, path):
    request = httpx.Request("POST", gateway.url, content=b"{}")
    request.url = request.url.copy_with(raw_path=path.encode())
    with httpx.Client(trust_env=False) as client:
        assert client.send(request).status_code in (400, 401, 404)


def test_another_method_is_405(gateway):
    headers = {"authorization": f"Bearer {gateway.token()}"}
    answer = httpx.get(f"{gateway.url}/systems/{SYSTEM}/v1/predict", headers=headers, trust_env=False)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_a_schema_break_is_422_and_malformed_json_400(gateway, application):
    broken = gateway.predict({"instances": [application | {"pirat": "high"}]})
    assert broken.status_code == 422
    assert broken.json()["error"]["details"][0]["path"] == "instances[0].pirat"
    malformed = gateway.predict(b"{")
    assert malformed.status_code == 400
    assert malformed.json()["error"]["code"] == "malformed_json"


def test_a_body_beyond_the_limit_is_413(gateway):
    answer = gateway.predict(b" " * 65_537)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"
    assert gateway.predict(b" " * 65_536).status_code == 400


def test_over_its_rate_a_consumer_gets_429_and_others_do_not_notice(gateway):
    scarce = [gateway.predict(token=gateway.token("scarce")) for _ in range(5)]
    assert [answer.status_code for answer in scarce] == [200, 200, 200, 429, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in scarce] == ["2", "1", "0", "0", "0"]
    assert 0 < int(scarce[-1].headers["x-ratelimit-reset"]) <= 86_400
    assert scarce[-1].json()["error"]["code"] == "rate_limited"
    assert gateway.predict().status_code == 200
    # Pretending to be another does not help.
    assert gateway.predict(token=gateway.token("scarce"), x_mlstrata_consumer="desk").status_code == 429


def test_headers_of_ours_sent_by_a_client_are_dropped(gateway):
    answer = gateway.predict(x_mlstrata_version="9", X_MLStrata_Consumer="root", x_request_id="mine")
    assert answer.status_code == 200
    assert answer.json()["model"]["version"] == "1"
    assert answer.json()["request_id"] != "mine"


def test_the_access_log_tells_who_what_and_how_it_went(gateway):
    good = gateway.predict(path=f"/systems/{SYSTEM}/v1/predict?secret=1")
    bad = gateway.predict(token="")
    wanted = {good.headers["x-request-id"], bad.headers["x-request-id"]}
    entries = _entries(gateway, wanted)
    entry = entries[good.headers["x-request-id"]]
    told = {name: entry[name] for name in ("consumer", "system", "api", "version", "status", "path")}
    assert told == {
        "consumer": "desk",
        "system": SYSTEM,
        "api": "v1",
        "version": "1",
        "status": 200,
        "path": f"/systems/{SYSTEM}/v1/predict",
    }
    assert entry["duration_ms"] >= 0
    assert entries[bad.headers["x-request-id"]]["status"] == 401
    assert "secret" not in json.dumps(entry)


def _entries(gateway, wanted):
    """Return the entries of the access log by request, once those `wanted` are among them: Envoy gathers lines."""

    def entries():
        lines = gateway.gateway.access_log.read_text().splitlines()
        return {entry["request_id"]: entry for entry in map(json.loads, lines)}

    eventually(lambda: wanted <= set(entries()))
    return entries()


def test_a_system_whose_process_is_down_is_503(gateway):
    answer = gateway.predict(token=gateway.token(systems=("nobody-home",)), path="/systems/nobody-home/v1/predict")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "unavailable"


def test_the_admin_interface_gives_statistics_and_nothing_else(gateway):
    assert "envoy_http_downstream_rq" in httpx.get(f"{gateway.admin_url}/stats/prometheus", trust_env=False).text
    for path in ("/quitquitquit", "/config_dump", "/logging?level=debug", "/"):
        assert httpx.post(gateway.admin_url + path, trust_env=False).status_code == 403, path


def test_what_the_gateway_gave_up_is_not_computed_and_the_next_one_is_answered(gateway):
    """A request that waits until its caller was told 504 costs nothing more."""
    held = Held(gateway.serving.directory, "9")
    assert gateway.versions("PUT", "9").status_code == 200
    first = (gateway.gateway.directory / ROUTES_FILE).read_text()
    threads = gateway.serving.threads
    try:
        _route(gateway, "9", timeout_s=0.5)
        # With code of its own it computes one at a time; the next ones have a turn and wait for it, or wait for a turn.
        eventually(lambda: gateway.predict(Held.body).status_code == 504 and held.computed() == 1)
        assert [gateway.predict(Held.body).status_code for _ in range(2)] == [504, 504]
        _route(gateway, "9", timeout_s=PATIENCE)
        held.free()
        assert gateway.predict(Held.body).status_code == 200
        assert held.computed() == threads + 1
    finally:
        held.free()
        write(gateway.gateway.directory / ROUTES_FILE, first)
        eventually(lambda: gateway.predict().status_code == 200)
    assert gateway.versions("DELETE", "9").status_code == 200


def _route(gateway, version, **changes):
    """Have the routes to a version in force, with a system of other limits."""
    systems = tuple(one.model_copy(update=changes) for one in gateway.gateway.systems)
    routes = render_routes(
        gateway.gateway.model_copy(update={"systems": systems}), {SYSTEM: Releases(champion=version)}
    )
    write(gateway.gateway.directory / ROUTES_FILE, to_text(routes))
    Gateway(gateway.url, gateway.gateway.directory, PATIENCE).follow(routes)


def test_routes_flip_under_load_with_no_failed_request(gateway):
    """Only the file is renamed: the versions are in memory already, as after a release."""
    answer = gateway.versions("PUT", "1")
    assert answer.status_code == 200
    first = (gateway.gateway.directory / ROUTES_FILE).read_text()
    with gateway.load() as load:
        for count in range(10):
            # Another limit, the same version: other routes, which must not disturb anyone.
            systems = tuple(
                system.model_copy(update={"timeout_s": 600.0 + count % 2}) for system in gateway.gateway.systems
            )
            settings = gateway.gateway.model_copy(update={"systems": systems})
            routes = render_routes(settings, {SYSTEM: Releases(champion="1")})
            write(gateway.gateway.directory / ROUTES_FILE, to_text(routes))
            wanted = routes_digest(routes)
            eventually(lambda wanted=wanted: _in_force(gateway) == wanted)
            load.more(3)
    write(gateway.gateway.directory / ROUTES_FILE, first)
    assert set(load.statuses) == {200}


def test_routes_that_are_no_routes_are_refused_and_the_old_ones_kept(gateway):
    path = gateway.gateway.directory / ROUTES_FILE
    good, before = path.read_text(), _refused(gateway)
    write(path, '{"resources": [{"@type": "nonsense"}]}')
    eventually(lambda: _refused(gateway) > before)
    assert gateway.predict().status_code == 200
    write(path, good)


def _in_force(gateway):
    """The digest of the routes that are."""
    return httpx.get(f"{gateway.url}/healthz", trust_env=False).headers["x-mlstrata-routes"]


def _refused(gateway):
    """How many files of routes Envoy has refused: those that it could read, and those that it could not."""
    lines = httpx.get(f"{gateway.admin_url}/stats/prometheus", trust_env=False).text.splitlines()
    names = ("envoy_http_rds_update_rejected", "envoy_http_rds_update_failure")
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(names))
