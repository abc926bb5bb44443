"""Where requests go while a rollout runs, as Envoy is told."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.services.gateway import render
from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.running import Running, Stopped
from tests.unit.gateway.test_render import LOANS, gateway, routes_of, validate

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def releases(strategy="canary", share=10, **changes):
    running = Running(strategy=strategy, candidate="2", share=share, begun=NOW, since=NOW, who="ana", why="better")
    return Releases(champion="1", challenger="2", loaded=("1", "2"), rollout=running, **changes)


def routed(given_):
    return routes_of(render.render_routes(gateway(LOANS), {"loans": given_}))["loans/v1"]


def versions(headers):
    return [one["header"]["value"] for one in headers if one["header"]["key"] == "x-mlstrata-version"]


def test_shares_lead_to_one_cluster_and_each_names_its_version():
    route = routed(releases(share=10))
    weights = route["route"]["weighted_clusters"]["clusters"]
    told = {version: one["weight"] for one in weights for version in versions(one["request_headers_to_add"])}
    assert told == {"1": 90, "2": 10}
    assert {one["name"] for one in weights} == {"serving-loans"}
    assert versions(route["request_headers_to_add"]) == [], "the route itself must not name one for all"
    assert "hash_policy" not in route["route"], "only an A/B test keeps a person at one version"


def test_all_of_the_traffic_is_one_weight():
    (only,) = routed(releases(share=100))["route"]["weighted_clusters"]["clusters"]
    assert versions(only["request_headers_to_add"]) == ["2"]


def test_a_shadow_is_a_copy_with_a_mark_and_bounds_of_its_own():
    route = routed(releases("shadow", 0, shadow="2"))
    (copy,) = route["route"]["request_mirror_policies"]
    added = {
        one["append"]["header"]["key"]: one["append"]["header"]["value"] for one in copy["request_headers_mutations"]
    }
    assert added == {"x-mlstrata-version": "2", "x-mlstrata-shadow": "1"}
    assert versions(route["request_headers_to_add"]) == ["1"]
    assert route["request_headers_to_remove"] == ["x-mlstrata-shadow"], "a caller cannot say that nobody was answered"
    assert copy["cluster"] != route["route"]["cluster"]
    clusters = {one["name"]: one for one in render.render_clusters(gateway(LOANS))["resources"]}
    bounds = [clusters[name]["circuit_breakers"]["thresholds"][0] for name in (copy["cluster"], "serving-loans")]
    assert bounds[0]["max_requests"] < bounds[1]["max_requests"]


def test_a_stopped_system_has_no_way_to_its_process_but_the_same_rules():
    before, after = routed(releases()), routed(releases(stopped=Stopped(when=NOW, who="ana", why="harm")))
    assert "route" not in after
    assert after["typed_per_filter_config"] == before["typed_per_filter_config"]


@settings(max_examples=8, deadline=None)
@given(
    strategy=st.sampled_from(["canary", "ab", "bandit", "shadow"]),
    share=st.integers(0, 100),
    stopped=st.booleans(),
)
def test_envoy_takes_every_rollout(strategy, share, stopped, tmp_path_factory):
    given_ = releases(
        strategy,
        0 if strategy == "shadow" else share,
        shadow="2" if strategy == "shadow" else None,
        stopped=Stopped(when=NOW, who="ana", why="harm") if stopped else None,
    )
    assert Releases.model_validate_json(given_.to_json()) == given_
    validate(gateway(LOANS), {"loans": given_}, tmp_path_factory.mktemp("envoy"))
