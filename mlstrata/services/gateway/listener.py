"""The listener: what happens to a request before a route is followed; `envoy.yaml` holds it, and the order."""

from __future__ import annotations

import json
from typing import Any

from mlstrata.services.gateway.envoy import part, watched
from mlstrata.services.gateway.errors import local_replies
from mlstrata.services.gateway.limits import limit_filters
from mlstrata.services.gateway.names import CONSUMER_HEADER
from mlstrata.services.gateway.settings import AUDIENCE, ROUTES_FILE, SCHEMES, TLS_FILE, TOKENS_FILE, GatewaySettings
from mlstrata.services.serving.settings import HOST

VERSION_HEADER = "x-mlstrata-version"
JWT_FILTER = "envoy.filters.http.jwt_authn"
RBAC_FILTER = "envoy.filters.http.rbac"
BUFFER_FILTER = "envoy.filters.http.buffer"
SMALL_FILTER = "mlstrata.small"
SMALL_BYTES = 65_536
"""What a stream may send before it is known who sends it; and what a path takes that leads nowhere."""
# Where the token's claims are found by later filters.
CLAIMS = "claims"
ROUTE_CONFIG = "systems"
CERTIFICATE = "certificate"


def render_listener(settings: GatewaySettings) -> dict[str, Any]:
    """Return the one listener, as the file Envoy watches."""
    headers_timeout = f"{settings.headers_timeout_s:.3f}s"
    chain = part(
        "chain",
        route_config=ROUTE_CONFIG,
        routes=watched(settings, ROUTES_FILE),
        filters=[
            part("small_filter", small_filter=SMALL_FILTER, small_bytes=SMALL_BYTES),
            part("token_filter", jwt_filter=JWT_FILTER, tokens=watched(settings, TOKENS_FILE)),
            # Before whoever is known is refused; as Envoy Gateway has them, too.
            part("size_filter", buffer_filter=BUFFER_FILTER, small_bytes=SMALL_BYTES),
            part("consumer_filter", rbac_filter=RBAC_FILTER),
            *limit_filters(settings),
            part("route_filter"),
        ],
        small_bytes=SMALL_BYTES,
        access_log=str(settings.access_log),
        consumer_header=CONSUMER_HEADER,
        version_header=VERSION_HEADER,
        local_replies=local_replies(),
        headers_timeout=headers_timeout,
        request_timeout=f"{settings.request_timeout_s:.3f}s",
    )
    if settings.tls:
        secret = watched(settings, TLS_FILE)
        chain |= part("tls", certificate=CERTIFICATE, secret=secret, headers_timeout=headers_timeout)
    return part("listener", host=HOST, port=settings.port, chain=chain)


def render_tokens(settings: GatewaySettings) -> dict[str, Any]:
    """Return how tokens are checked, as the file Envoy watches."""
    return part(
        "tokens",
        jwt_filter=JWT_FILTER,
        issuer=settings.issuer,
        audience=AUDIENCE,
        token_headers=[{"name": "authorization", "value_prefix": scheme} for scheme in SCHEMES],
        jwks=json.dumps(settings.jwks, sort_keys=True),
        claims=CLAIMS,
        consumer_header=CONSUMER_HEADER,
    )
