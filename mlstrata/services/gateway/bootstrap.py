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
    GatewaySettings,
    GatewaySystem,
)
from mlstrata.services.serving.settings import HOST, OVERLOADED_HEADER, READY_PATH


def cluster_name(system: str) -> str:
    """Return the name of the cluster of `system`."""
    return f"serving-{system}"


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
    """Return the clusters, one a system, as the file Envoy watches."""
    return {"resources": [_cluster(system) for system in settings.systems]}


def _cluster(system: GatewaySystem) -> dict[str, Any]:
    endpoints = [part("endpoint", host=HOST, port=port) for port in system.ports]
    bounds = {name: bound * len(endpoints) for name, bound in dict(system.breaker).items()}
    one = part(
        "cluster",
        name=cluster_name(system.name),
        endpoints=endpoints,
        overloaded_header=OVERLOADED_HEADER,
        retry_share=RETRY_SHARE,
        few_retries=FEW_RETRIES,
        **bounds,
    )
    return one | (part("balancing", ready_path=READY_PATH) if system.copies else {})
