"""Envoy's bootstrap and its clusters, one a system."""

from __future__ import annotations

from typing import Any

from mlstrata.services.gateway.balancing import balancing
from mlstrata.services.gateway.names import REOPEN_PATH
from mlstrata.services.gateway.settings import CLUSTERS_FILE, LISTENERS_FILE, GatewaySettings, GatewaySystem
from mlstrata.services.serving.settings import HOST

_API = "type.googleapis.com/envoy"
_CONNECTIONS = f"{_API}.extensions.resource_monitors.downstream_connections.v3"
# What Prometheus reads, what a readiness check asks, and what archives the log; everything else of the admin interface
# is closed, the path that ends the process among it.
ADMIN_PATHS = ("/stats/prometheus", "/ready", REOPEN_PATH)
_CONNECT_TIMEOUT = "5s"
# The prediction process closes a connection 5 s after its last answer. Envoy must let go of it sooner,
# or a request is now and then sent into a closing connection.
_IDLE_TIMEOUT = "3s"


def cluster_name(system: str) -> str:
    """Return the name of the cluster of `system`."""
    return f"serving-{system}"


def render_bootstrap(settings: GatewaySettings) -> dict[str, Any]:
    """Return what Envoy is started with: where its files are, and its limits. A change needs a restart."""
    return {
        "node": {"id": "gateway", "cluster": settings.issuer},
        "admin": {
            "address": {"socket_address": {"address": HOST, "port_value": settings.admin_port}},
            "allow_paths": [{"exact": path} for path in ADMIN_PATHS],
            # When callers hold every connection allowed is when its figures are wanted.
            "ignore_global_conn_limit": True,
        },
        "dynamic_resources": {
            "lds_config": watched(settings, LISTENERS_FILE),
            "cds_config": watched(settings, CLUSTERS_FILE),
        },
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{_CONNECTIONS}.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": settings.max_connections,
                    },
                }
            ]
        },
        "stats_flush_interval": "5s",
    }


def render_clusters(settings: GatewaySettings) -> dict[str, Any]:
    """Return the clusters, one a system, as the file Envoy watches."""
    return {
        "resources": [{"@type": f"{_API}.config.cluster.v3.Cluster"} | _cluster(system) for system in settings.systems]
    }


def watched(settings: GatewaySettings, file: str) -> dict[str, Any]:
    """Return the source of a file that Envoy reads again when it is renamed into the gateway's folder."""
    return {
        "resource_api_version": "V3",
        "path_config_source": {
            "path": str(settings.directory / file),
            "watched_directory": {"path": str(settings.directory)},
        },
    }


def _cluster(system: GatewaySystem) -> dict[str, Any]:
    name = cluster_name(system.name)
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": _CONNECT_TIMEOUT,
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": system.breaker.connections,
                    "max_pending_requests": system.breaker.pending,
                    "max_requests": system.breaker.requests,
                    "max_retries": system.breaker.retries,
                }
            ]
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": _endpoint(port)} for port in system.ports]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_API}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": _IDLE_TIMEOUT},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    } | (balancing() if system.copies else {})


def _endpoint(port: int) -> dict[str, Any]:
    return {"address": {"socket_address": {"address": HOST, "port_value": port}}}
