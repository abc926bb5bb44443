"""The listener: what happens to a request before a route is followed.

Order: client-set headers of ours removed, token checked, consumer allowed for the system, rate, quota, size, route.
"""

from __future__ import annotations

import json
from typing import Any

from mlstrata.services.gateway.bootstrap import watched
from mlstrata.services.gateway.errors import local_replies
from mlstrata.services.gateway.limits import limit_filters
from mlstrata.services.gateway.names import CONSUMER_HEADER
from mlstrata.services.gateway.settings import AUDIENCE, ROUTES_FILE, TLS_FILE, TOKENS_FILE, GatewaySettings
from mlstrata.services.serving.settings import HOST

_HTTP = "type.googleapis.com/envoy.extensions.filters.http"
_API = "type.googleapis.com/envoy"

VERSION_HEADER = "x-mlstrata-version"
OURS = "x-mlstrata-"
JWT_FILTER = "envoy.filters.http.jwt_authn"
RBAC_FILTER = "envoy.filters.http.rbac"
BUFFER_FILTER = "envoy.filters.http.buffer"
# Where the token's claims are found by later filters.
CLAIMS = "claims"
ROUTE_CONFIG = "systems"
CERTIFICATE = "certificate"
PROTECTED_PREFIX = "/systems"
# Room for two clocks that differ a little; a token lives this much longer at most.
_CLOCK_SKEW_S = 5
_LARGEST_BODY = 1_073_741_824


def render_listener(settings: GatewaySettings) -> dict[str, Any]:
    """Return the one listener, as the file Envoy watches."""
    manager = {"@type": f"{_API}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"}
    return {
        "resources": [
            {
                "@type": f"{_API}.config.listener.v3.Listener",
                "name": "gateway",
                "address": {"socket_address": {"address": HOST, "port_value": settings.port}},
                "per_connection_buffer_limit_bytes": 65_536,
                "filter_chains": [
                    {
                        "filters": [
                            {
                                "name": "envoy.filters.network.http_connection_manager",
                                "typed_config": manager | _manager(settings),
                            }
                        ]
                    }
                    | (_tls(settings) if settings.tls else {})
                ],
            }
        ]
    }


def _manager(settings: GatewaySettings) -> dict[str, Any]:
    return {
        "stat_prefix": "gateway",
        "codec_type": "AUTO",
        "rds": {"route_config_name": ROUTE_CONFIG, "config_source": watched(settings, ROUTES_FILE)},
        "http_filters": _filters(settings),
        "early_header_mutation_extensions": [_strip_client_headers()],
        "access_log": [_access_log(settings)],
        "local_reply_config": local_replies(),
        # The caller learns the id of its request, which is ours alone to give, and not what serves it.
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "server_header_transformation": "PASS_THROUGH",
        "use_remote_address": True,
        # One path has one spelling: nothing slips past a rule by writing it in another way.
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "common_http_protocol_options": {
            "idle_timeout": "60s",
            "max_headers_count": 64,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576,
        },
        "max_request_headers_kb": 16,
        # A slow sender holds a connection this long, then gets 408.
        "request_headers_timeout": f"{settings.headers_timeout_s:.3f}s",
        "request_timeout": f"{settings.request_timeout_s:.3f}s",
        "stream_idle_timeout": "60s",
    }


def _filters(settings: GatewaySettings) -> list[dict[str, Any]]:
    return [
        # Read from a file of its own: a new key is taken by connections that are open already, and closes none.
        {
            "name": JWT_FILTER,
            "config_discovery": {
                "config_source": watched(settings, TOKENS_FILE),
                "type_urls": [f"{_HTTP}.jwt_authn.v3.JwtAuthentication"],
            },
        },
        # This one and the buffer do nothing until a route gives them their rules.
        _filter(RBAC_FILTER, "rbac.v3.RBAC", {}),
        *limit_filters(settings),
        _filter(BUFFER_FILTER, "buffer.v3.Buffer", {"max_request_bytes": _LARGEST_BODY}),
        _filter("envoy.filters.http.router", "router.v3.Router", {"suppress_envoy_headers": True}),
    ]


def _filter(name: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": f"{_HTTP}.{kind}"} | config}


def render_tokens(settings: GatewaySettings) -> dict[str, Any]:
    """Return how tokens are checked, as the file Envoy watches."""
    checked = {"@type": f"{_HTTP}.jwt_authn.v3.JwtAuthentication"} | _authentication(settings)
    kind = f"{_API}.config.core.v3.TypedExtensionConfig"
    return {"resources": [{"@type": kind, "name": JWT_FILTER, "typed_config": checked}]}


def _tls(settings: GatewaySettings) -> dict[str, Any]:
    sockets = f"{_API}.extensions.transport_sockets.tls.v3"
    common = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "alpn_protocols": ["h2", "http/1.1"],
        # Read from its file again when that is renamed: a renewed certificate closes no connection.
        "tls_certificate_sds_secret_configs": [{"name": CERTIFICATE, "sds_config": watched(settings, TLS_FILE)}],
    }
    return {
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {"@type": f"{sockets}.DownstreamTlsContext", "common_tls_context": common},
        },
        # Whoever connects and says nothing holds a place among the connections allowed.
        "transport_socket_connect_timeout": f"{settings.headers_timeout_s:.3f}s",
    }


def _authentication(settings: GatewaySettings) -> dict[str, Any]:
    provider = {
        "issuer": settings.issuer,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": json.dumps(settings.jwks, sort_keys=True)},
        "require_expiration": True,
        "clock_skew_seconds": _CLOCK_SKEW_S,
        # The header only: an address with a token in it ends up in logs.
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        # The prediction process has no use for the token.
        "forward": False,
        "payload_in_metadata": CLAIMS,
        "claim_to_headers": [{"header_name": CONSUMER_HEADER, "claim_name": "sub"}],
    }
    # Before the route is looked up, so that without a token nobody learns which systems there are.
    rule = {"match": {"path_separated_prefix": PROTECTED_PREFIX}, "requires": {"provider_name": "mlstrata"}}
    return {"providers": {"mlstrata": provider}, "rules": [rule]}


def _strip_client_headers() -> dict[str, Any]:
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": f"{_API}.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [
                {"remove_on_match": {"key_matcher": {"prefix": OURS, "ignore_case": True}}},
                # What a caller whom Envoy trusts may ask of it: other timeouts, more retries.
                {"remove_on_match": {"key_matcher": {"prefix": "x-envoy-", "ignore_case": True}}},
                {"remove": "x-request-id"},
            ],
        },
    }


def _access_log(settings: GatewaySettings) -> dict[str, Any]:
    fields = {
        "time": "%START_TIME%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "consumer": f"%REQ({CONSUMER_HEADER})%",
        "system": "%METADATA(ROUTE:mlstrata:system)%",
        "api": "%METADATA(ROUTE:mlstrata:api)%",
        "version": f"%RESP({VERSION_HEADER})%",
        "method": "%REQ(:METHOD)%",
        # Without the query: people put into it what does not belong in a log.
        "path": "%PATH(NQ)%",
        "status": "%RESPONSE_CODE%",
        # To what calls itself gRPC a refusal is told here, with status 200.
        "grpc_status": "%GRPC_STATUS_NUMBER%",
        "reason": "%RESPONSE_CODE_DETAILS%",
        "duration_ms": "%DURATION%",
        "bytes_in": "%BYTES_RECEIVED%",
        "bytes_out": "%BYTES_SENT%",
    }
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": f"{_API}.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(settings.access_log),
            "log_format": {"json_format": fields},
        },
    }
