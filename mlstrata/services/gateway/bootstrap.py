"""Envoy's bootstrap and its clusters, one a system."""

from __future__ import annotations

from typing import Any

from mlstrata.services.gateway.envoy import part, watched
from mlstrata.services.gateway.names import REOPEN_PATH
from mlstrata.services.gateway.settings import (
    CLUSTERS_FILE,
    FEW_RETRIES,
    LISTENERS_FILE,
    RETRY_SHARE,
    SHADOWS_AT_ONCE,
    Breaker,
    GatewaySettings,
    GatewaySystem,
)
from mlstrata.services.serving.settings import HOST, OVERLOADED_HEADER, READY_PATH


def cluster_name(system: str) -> str:
    """Return the name of the cluster of `system`."""
    return f"serving-{system}"


def shadow_cluster_name(system: str) -> str:
    """Return the name of the cluster that gets copies of the requests of `system`."""
    return f"serving-{system}-shadow"


def render_bootstrap(settings: GatewaySettings) -> dict[str, Any]:
    """Return what Envoy is started with: where its files are, and its limits. A change needs a restart."""
    return part(
        "bootstrap",
        issuer=settings.issuer,
        host=HOST,
        admin_port=settings.admin_port,
        reopen_path=REOPEN_PATH,
        listeners=watched(settings, LISTENERS_FILE),
        clusters=watched(settings, CLUSTERS_FILE),
        max_connections=settings.max_connections,
    )


def render_clusters(settings: GatewaySettings) -> dict[str, Any]:
    """Return the clusters, two a system, as the file Envoy watches."""
    return {"resources": [one for system in settings.systems for one in (_cluster(system), _shadow(system))]}


def _shadow(system: GatewaySystem) -> dict[str, Any]:
    """The same processes with a bound of its own: copies that are slow must not use up what requests may."""
    bound = Breaker(connections=2 * SHADOWS_AT_ONCE, pending=SHADOWS_AT_ONCE, requests=SHADOWS_AT_ONCE)
    return _processes(system, shadow_cluster_name(system.name), bound)


def _cluster(system: GatewaySystem) -> dict[str, Any]:
    one = _processes(system, cluster_name(system.name), system.breaker)
    return one | (part("balancing", ready_path=READY_PATH) if system.copies else {})


def _processes(system: GatewaySystem, name: str, breaker: Breaker) -> dict[str, Any]:
    endpoints = [part("endpoint", host=HOST, port=port) for port in system.ports]
    bounds = {bound: most * len(endpoints) for bound, most in dict(breaker).items()}
    return part(
        "cluster",
        name=name,
        endpoints=endpoints,
        overloaded_header=OVERLOADED_HEADER,
        retry_share=RETRY_SHARE,
        few_retries=FEW_RETRIES,
        **bounds,
    )
