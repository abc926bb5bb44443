"""The routes: which path leads to which system and version, and what its callers may do there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from mlstrata.services.gateway.bootstrap import cluster_name, render_clusters
from mlstrata.services.gateway.deprecation import deprecation_headers
from mlstrata.services.gateway.envoy import part
from mlstrata.services.gateway.errors import STOPPED_STATUS
from mlstrata.services.gateway.listener import (
    BUFFER_FILTER,
    CLAIMS,
    JWT_FILTER,
    RBAC_FILTER,
    ROUTE_CONFIG,
    VERSION_HEADER,
)
from mlstrata.services.gateway.names import SUBJECT_HEADER
from mlstrata.services.gateway.settings import RETRIES, UNBEGUN, GatewaySettings, GatewaySystem
from mlstrata.services.gateway.traffic import destination, set_headers, version_headers
from mlstrata.services.serving.observing import SUBJECT_HEADER as SUBJECT_TOLD
from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.running import Stopped
from mlstrata.services.serving.settings import (
    LEAVING_HEADER,
    OVERLOADED_HEADER,
    SHADOW_HEADER,
    TIMEOUT_HEADER,
    UNTOUCHED_HEADER,
)

_HTTP = "type.googleapis.com/envoy.extensions.filters.http"
ROUTES_HEADER = "x-mlstrata-routes"
HEALTH_PATH = "/healthz"
_LONGER_S = 5
# Left out where the caller does not say it.
_SUBJECT = {SUBJECT_TOLD: f"%REQ({SUBJECT_HEADER})%"}


class GatewayError(Exception):
    """The gateway cannot be configured so, or does not do what its files say."""


def render_routes(settings: GatewaySettings, releases: Mapping[str, Releases]) -> dict[str, Any]:
    """Return the routes, as the file Envoy watches.

    Args:
        settings: the gateway's settings.
        releases: releases by system; a system without any is routed too, and its process answers 503.

    Raises:
        GatewayError: releases of a system that is not behind the gateway, or a route to no cluster of it.
    """
    if strangers := sorted(set(releases) - {system.name for system in settings.systems}):
        known = ", ".join(system.name for system in settings.systems) or "none"
        raise GatewayError(f"releases of {', '.join(strangers)}: not behind this gateway; its systems: {known}")
    routes = [
        route
        for system in settings.systems
        for api in system.api_versions
        for route in _system_routes(system, api, releases.get(system.name, Releases()))
    ]
    health = part("health", path=HEALTH_PATH, routes_header=ROUTES_HEADER, digest=_digest(routes))
    document = part(
        "routes",
        route_config=ROUTE_CONFIG,
        untouched_header=UNTOUCHED_HEADER,
        leaving_header=LEAVING_HEADER,
        overloaded_header=OVERLOADED_HEADER,
        routes=[health, *routes],
    )
    check_routes(document, render_clusters(settings))
    return document


def routes_digest(routes: Mapping[str, Any]) -> str:
    """Return the digest that /healthz shows in x-mlstrata-routes once these `routes` are in force."""
    health = routes["resources"][0]["virtual_hosts"][0]["routes"][0]
    digest: str = health["response_headers_to_add"][0]["header"]["value"]
    return digest


def check_routes(routes: Mapping[str, Any], clusters: Mapping[str, Any]) -> None:
    """Check that every route leads to a cluster there is: Envoy takes one that does not, and answers 503.

    Raises:
        GatewayError: naming the routes and the clusters they ask for.
    """
    known = {cluster["name"] for cluster in clusters["resources"]}
    lost = [f"{name} -> {cluster}" for name, cluster in _targets(routes) if cluster not in known]
    if lost:
        raise GatewayError(
            f"routes to unknown clusters: {', '.join(lost)}; known: {', '.join(sorted(known)) or 'none'}"
        )


def _targets(routes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for resource in routes["resources"]:
        for host in resource["virtual_hosts"]:
            for route in host["routes"]:
                for cluster in _clusters(route["route"]) if "route" in route else ():
                    yield route["name"], cluster


def _clusters(action: Mapping[str, Any]) -> list[str]:
    mirrors = [one["cluster"] for one in action.get("request_mirror_policies", ())]
    if "weighted_clusters" in action:
        return [*(one["name"] for one in action["weighted_clusters"]["clusters"]), *mirrors]
    return [action.get("cluster", "no cluster"), *mirrors]


def _system_routes(system: GatewaySystem, api: str, releases: Releases) -> Iterator[dict[str, Any]]:
    path = f"/systems/{system.name}/{api}/predict"
    shared: dict[str, Any] = {
        "metadata": {"filter_metadata": {"mlstrata": {"system": system.name, "api": api}}},
        "typed_per_filter_config": _rules(system),
    }
    # How long its caller waits: what comes to its turn later is not computed.
    told = {TIMEOUT_HEADER: str(int(system.timeout_s * 1000))}
    described = {VERSION_HEADER: releases.champion} if releases.champion else {}
    method = {"name": ":method", "string_match": {"exact": "POST"}}
    if goodbye := deprecation_headers(system, api):
        shared |= {"response_headers_to_add": goodbye}
    yield _description(system, api, shared, set_headers(told | described))
    asked = {"name": f"{system.name}/{api}", "match": {"path": path, "headers": [method]}}
    yield shared | asked | (_refused(releases.stopped) if releases.stopped else _answered(system, releases, told))
    yield shared | {
        "name": f"{system.name}/{api}/method",
        "match": {"path": path},
        "direct_response": {"status": 405},
        "response_headers_to_add": [{"header": {"key": "allow", "value": "POST"}}],
    }


def _refused(stopped: Stopped) -> dict[str, Any]:
    """The kill switch: nothing is asked of the process, whatever it is like."""
    return {"direct_response": {"status": HTTPStatus.GONE if stopped.retired else STOPPED_STATUS}}


def _answered(system: GatewaySystem, releases: Releases, told: dict[str, str]) -> dict[str, Any]:
    return {
        "request_headers_to_add": set_headers(told | _SUBJECT | version_headers(releases)),
        # Who is given the answer is not a caller's to say: what is recorded follows from it.
        "request_headers_to_remove": [SHADOW_HEADER],
        "route": destination(system.name, releases)
        | {
            "timeout": f"{system.timeout_s:.3f}s",
            # A system that may take longer than an idle stream lives must not be taken for one.
            "idle_timeout": f"{system.timeout_s + _LONGER_S:.3f}s",
            "retry_policy": _retries(system, ",".join(UNBEGUN)),
        },
    }


def _description(
    system: GatewaySystem, api: str, shared: dict[str, Any], headers: list[dict[str, Any]]
) -> dict[str, Any]:
    return shared | {
        "name": f"{system.name}/{api}/description",
        "match": {
            "path": f"/systems/{system.name}/{api}/openapi.json",
            "headers": [{"name": ":method", "string_match": {"exact": "GET"}}],
        },
        "request_headers_to_add": headers,
        "route": {
            "cluster": cluster_name(system.name),
            "timeout": f"{system.timeout_s:.3f}s",
            # Reading it changes nothing, so it may be asked for again whatever happened.
            "retry_policy": _retries(system, "connect-failure,refused-stream,reset"),
        },
    }


def _retries(system: GatewaySystem, on: str) -> dict[str, Any]:
    if not system.copies:
        return {"retry_on": on, "num_retries": RETRIES}
    # A process that says it did nothing is one that lacks the version, as one that is just starting.
    untouched = [{"name": UNTOUCHED_HEADER, "present_match": True}]
    several = {"retry_on": f"{on},retriable-headers", "retriable_headers": untouched, "num_retries": len(system.ports)}
    return several | part("elsewhere")


def _rules(system: GatewaySystem) -> dict[str, Any]:
    return {
        RBAC_FILTER: {
            "@type": f"{_HTTP}.rbac.v3.RBACPerRoute",
            "rbac": {"rules": {"action": "ALLOW", "policies": {"consumers": _who_may_call(system)}}},
        },
        BUFFER_FILTER: {
            "@type": f"{_HTTP}.buffer.v3.BufferPerRoute",
            "buffer": {"max_request_bytes": system.body_limit},
        },
    }


def _who_may_call(system: GatewaySystem) -> dict[str, Any]:
    """A token must name the system, and its consumer must still be declared: removing one ends its tokens."""
    names = [_claim("sub", {"string_match": {"exact": consumer.name}}) for consumer in system.consumers]
    listed = _claim("systems", {"list_match": {"one_of": {"string_match": {"exact": system.name}}}})
    nobody = {"not_id": {"any": True}}
    principal = {"and_ids": {"ids": [listed, {"or_ids": {"ids": names}}]}} if names else nobody
    return {"permissions": [{"any": True}], "principals": [principal]}


def _claim(name: str, value: dict[str, Any]) -> dict[str, Any]:
    path = [{"key": CLAIMS}, {"key": name}]
    return {"sourced_metadata": {"metadata_matcher": {"filter": JWT_FILTER, "path": path, "value": value}}}


def _digest(routes: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(routes, sort_keys=True).encode()).hexdigest()[:16]
