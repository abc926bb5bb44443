"""Envoy's files, and that Envoy takes them."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.services.gateway import render, tokens
from mlstrata.services.gateway.routes import check_routes
from mlstrata.services.gateway.settings import Consumer, GatewaySettings, GatewaySystem
from mlstrata.services.serving.releases import Releases

ENVOY = Path(__file__).parents[3] / ".venv" / "bin" / "envoy"
KEY = tokens.generate_key()
JWKS = tokens.public_jwks(KEY)


def gateway(*systems, **changes):
    given_ = {
        "port": 18080,
        "admin_port": 18081,
        "issuer": "mlstrata/local",
        "jwks": JWKS,
        "directory": Path("/home/config/gateway"),
        "access_log": Path("/home/logs/access.log"),
        "systems": systems,
    }
    return GatewaySettings(**(given_ | changes))


LOANS = GatewaySystem(name="loans", upstream_port=18082, consumers=(Consumer(name="desk", count=50),))
CREDIT = GatewaySystem(name="credit", upstream_port=18083, api_versions=("v1", "v2"), body_limit=1_000)


def routes_of(document):
    (resource,) = document["resources"]
    (host,) = resource["virtual_hosts"]
    return {route["name"]: route for route in host["routes"]}


def test_a_route_sets_the_champion_and_leaves_it_out_before_the_first_release():
    document = render.render_routes(gateway(LOANS, CREDIT), {"loans": Releases(champion="7")})
    routes = routes_of(document)
    added = {name: routes[name]["request_headers_to_add"] for name in ("loans/v1", "credit/v2")}
    assert {one["append_action"] for told in added.values() for one in told} == {"OVERWRITE_IF_EXISTS_OR_ADD"}
    told = {name: {one["header"]["key"]: one["header"]["value"] for one in of} for name, of in added.items()}
    # How long a caller waits, in milliseconds, by the name that Envoy has for it.
    waits = {"x-envoy-expected-rq-timeout-ms": "5000", "x-mlstrata-subject": "%REQ(x-subject-id)%"}
    assert told == {"loans/v1": waits | {"x-mlstrata-version": "7"}, "credit/v2": waits}
    assert routes["loans/v1"]["route"]["cluster"] == "serving-loans"
    assert {"credit/v1", "credit/v2", "health"} <= set(routes)


def test_releases_of_a_system_that_is_not_there_are_refused():
    with pytest.raises(render.GatewayError, match="releases of ghost: not behind this gateway; its systems: loans"):
        render.render_routes(gateway(LOANS), {"ghost": Releases()})


def test_a_route_to_no_cluster_is_refused():
    routes = render.render_routes(gateway(LOANS, CREDIT), {})
    with pytest.raises(render.GatewayError, match=r"credit/v1 -> serving-credit.*known: serving-loans"):
        check_routes(routes, render.render_clusters(gateway(LOANS)))


def test_one_process_is_always_asked_and_several_are_looked_at():
    """With one there is none to go to instead, and nothing about it changes by what several need."""
    alone, several = (
        render.render_clusters(gateway(one))["resources"][0]
        for one in (LOANS, LOANS.model_copy(update={"copies": (18_090, 18_091)}))
    )
    assert not {"health_checks", "outlier_detection", "lb_policy"} & set(alone)
    assert several["health_checks"][0]["http_health_check"]["path"] == "/v2/health/ready"
    assert several["outlier_detection"]["max_ejection_percent"] == 50
    ports = [
        endpoint["endpoint"]["address"]["socket_address"]["port_value"]
        for endpoint in several["load_assignment"]["endpoints"][0]["lb_endpoints"]
    ]
    assert ports == [18_082, 18_090, 18_091]
    shared = set(alone) - {"load_assignment", "circuit_breakers"}
    assert {name: alone[name] for name in shared} == {name: several[name] for name in shared}
    (bound,), (bounds,) = (one["circuit_breakers"]["thresholds"] for one in (alone, several))
    for name in ("max_connections", "max_pending_requests", "max_requests"):
        assert bounds[name] == 3 * bound[name], "each process is asked for as much as one alone"
    assert bounds["retry_budget"] == bound["retry_budget"]


@pytest.mark.parametrize("copies", [(), (18_090,)])
def test_a_prediction_is_tried_again_only_where_it_cannot_have_begun(copies):
    system = LOANS.model_copy(update={"copies": copies})
    policy = routes_of(render.render_routes(gateway(system), {}))["loans/v1"]["route"]["retry_policy"]
    safe = {"connect-failure", "refused-stream", "reset-before-request"}
    # What the process itself says it has not touched, in the header that callers never see.
    assert set(policy["retry_on"].split(",")) == safe | ({"retriable-headers"} if copies else set())
    assert ("retriable_headers" in policy) == bool(copies)


def test_two_processes_of_a_system_have_two_ports():
    with pytest.raises(ValueError, match="18082"):
        GatewaySystem(name="loans", upstream_port=18_082, copies=(18_082,))


def test_rates_are_counted_once_for_a_consumer_and_system():
    """In the listener, by the route's system: not in each route, which would multiply them."""
    document = render.render_rates(gateway(LOANS, CREDIT))
    (bucket,) = document["resources"][0]["typed_config"]["descriptors"]
    assert bucket["entries"] == [{"key": "system", "value": "loans"}, {"key": "consumer", "value": "desk"}]
    assert bucket["token_bucket"] == {"max_tokens": 50, "tokens_per_fill": 50, "fill_interval": "1s"}
    text = json.dumps(render.render_routes(gateway(LOANS, CREDIT), {}))
    assert "token_bucket" not in text


def test_the_digest_follows_the_routes():
    first = render.render_routes(gateway(LOANS), {"loans": Releases(champion="1")})
    same = render.render_routes(gateway(LOANS), {"loans": Releases(champion="1", loaded=("1",))})
    other = render.render_routes(gateway(LOANS), {"loans": Releases(champion="2")})
    assert render.routes_digest(first) == render.routes_digest(same) != render.routes_digest(other)


def test_everything_listens_on_loopback_and_the_admin_interface_reads_and_reopens_logs_alone():
    text = json.dumps([render.render_bootstrap(gateway(LOANS)), render.render_listener(gateway(LOANS))])
    assert set(re.findall(r"\d+\.\d+\.\d+\.\d+", text)) == {"127.0.0.1"}
    admin = render.render_bootstrap(gateway(LOANS))["admin"]
    assert admin["allow_paths"] == [{"exact": path} for path in ("/stats/prometheus", "/ready", "/reopen_logs")]


def test_no_file_holds_the_private_key():
    texts = "".join(render.render_files(gateway(LOANS), {}).values())
    assert "PRIVATE" not in texts
    assert '"d"' not in texts


def test_settings_come_back_from_their_file(tmp_path):
    settings_ = gateway(LOANS, CREDIT)
    (tmp_path / "gateway.json").write_text(settings_.to_json())
    assert GatewaySettings.read(tmp_path) == settings_


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,12}[a-z0-9]", fullmatch=True)
CONSUMERS = st.lists(
    st.builds(
        Consumer,
        name=NAMES,
        count=st.integers(1, 10**6),
        per_seconds=st.integers(1, 86_400),
        quota=st.none() | st.integers(1, 10**8),
    ),
    max_size=4,
    unique_by=lambda one: one.name,
)
SYSTEMS = st.lists(
    st.builds(
        GatewaySystem,
        name=NAMES,
        upstream_port=st.integers(1, 30_000),
        copies=st.lists(st.integers(30_001, 65_535), max_size=3, unique=True).map(tuple),
        api_versions=st.sampled_from([("v1",), ("v1", "v2")]),
        consumers=CONSUMERS.map(tuple),
        timeout_s=st.floats(0.001, 600),
        body_limit=st.integers(1, 2**30),
    ),
    max_size=4,
    unique_by=lambda one: one.name,
)


def whole(config, releases):
    """One static configuration of what Envoy would read from files: that is what its validation looks at."""
    bootstrap = {name: part for name, part in render.render_bootstrap(config).items() if name != "dynamic_resources"}
    (listener,) = render.render_listener(config)["resources"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["rds"]
    apart = [part(config)["resources"][0] for part in (render.render_tokens, render.render_rates, render.render_quotas)]
    by_name = {one["name"]: {"name": one["name"], "typed_config": one["typed_config"]} for one in apart}
    filters = manager["http_filters"]
    assert [one["name"] for one in filters if "config_discovery" in one] == list(by_name)
    manager["http_filters"] = [by_name[one["name"]] if "config_discovery" in one else one for one in filters]
    (manager["route_config"],) = render.render_routes(config, releases)["resources"]
    del manager["route_config"]["@type"]
    plain = [
        {name: value for name, value in one.items() if name != "@type"}
        for one in (listener, *render.render_clusters(config)["resources"])
    ]
    return bootstrap | {"static_resources": {"listeners": plain[:1], "clusters": plain[1:]}}


def validate(config, releases, folder):
    path = folder / "envoy.json"
    path.write_text(json.dumps(whole(config.model_copy(update={"access_log": folder / "access.log"}), releases)))
    done = subprocess.run(
        [ENVOY, "--mode", "validate", "--config-path", path, "--disable-hot-restart", "--log-level", "warn"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Nothing of it is on its way out of Envoy.
    assert "deprecated" not in done.stderr.lower(), done.stderr


@settings(max_examples=15, deadline=None)
@given(systems=SYSTEMS, champions=st.lists(st.none() | st.just("3"), min_size=4, max_size=4))
def test_envoy_takes_whatever_the_settings_allow(systems, champions, tmp_path_factory):
    config = gateway(*systems)
    releases = {one.name: Releases(champion=champion) for one, champion in zip(systems, champions, strict=False)}
    validate(config, releases, tmp_path_factory.mktemp("envoy"))


def test_the_validation_would_notice(tmp_path):
    config = gateway(LOANS)
    config = config.model_copy(update={"access_log": tmp_path / "access.log"})
    broken = whole(config, {})
    broken["static_resources"]["clusters"] = []
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    done = subprocess.run(
        [ENVOY, "--mode", "validate", "-c", tmp_path / "broken.json"], capture_output=True, check=False
    )
    assert done.returncode != 0
