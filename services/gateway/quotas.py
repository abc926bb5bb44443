"""Quotas: how many requests a consumer may send a system over a long time, beside its rate.

They are counted in the listener and not in the routes, which are written anew at every release: a quota outlives
releases. It is counted in Envoy's memory, so a restart of the gateway, or another quota in the file, begins anew.
"""

from __future__ import annotations

from typing import Any

from services.gateway.names import CONSUMER_HEADER, QUOTA_FILTER
from services.gateway.settings import GatewaySettings

_KIND = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_ALWAYS = {"default_value": {"numerator": 100}}
_MORE_THAN_ANYONE_SENDS = 4_294_967_295


def quota_filters(settings: GatewaySettings) -> list[dict[str, Any]]:
    """Return the filter that counts, none when no consumer has a quota."""
    buckets = [
        {
            "entries": [{"key": "system", "value": system.name}, {"key": "consumer", "value": consumer.name}],
            "token_bucket": {
                "max_tokens": consumer.quota,
                "tokens_per_fill": consumer.quota,
                "fill_interval": f"{consumer.quota_seconds}s",
            },
        }
        for system in settings.systems
        for consumer in system.consumers
        if consumer.quota is not None
    ]
    if not buckets:
        return []
    return [{"name": QUOTA_FILTER, "typed_config": {"@type": _KIND} | _counting(buckets)}]


def _counting(buckets: list[dict[str, Any]]) -> dict[str, Any]:
    system = {
        "metadata": {
            "descriptor_key": "system",
            "source": "ROUTE_ENTRY",
            "metadata_key": {"key": "mlstrata", "path": [{"key": "system"}]},
        }
    }
    consumer = {"request_headers": {"header_name": CONSUMER_HEADER, "descriptor_key": "consumer"}}
    return {
        "stat_prefix": "quota",
        "filter_enabled": _ALWAYS | {"runtime_key": "mlstrata.quota.enabled"},
        "filter_enforced": _ALWAYS | {"runtime_key": "mlstrata.quota.enforced"},
        "rate_limits": [{"actions": [system, consumer]}],
        # The bucket of whoever has no quota: never empty.
        "always_consume_default_token_bucket": False,
        "token_bucket": {
            "max_tokens": _MORE_THAN_ANYONE_SENDS,
            "tokens_per_fill": _MORE_THAN_ANYONE_SENDS,
            "fill_interval": "1s",
        },
        "descriptors": buckets,
        # Told apart from the rate, which is over in a moment.
        "response_headers_to_add": [
            {"header": {"key": "x-mlstrata-limit", "value": "quota"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        ],
    }
