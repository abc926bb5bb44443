"""How many requests a consumer may send a system: its rate, and its quota over a long time.

One bucket for each consumer of each system, whichever of its paths are asked: two versions of the interface give
nobody twice as much. The buckets are counted in the listener and not in the routes, which are written anew at every
release, so a release refills none. They are read from files of their own, so that another limit closes no connection;
it begins anew, as all do when the gateway restarts, for they lie in Envoy's memory.
"""

from __future__ import annotations

from typing import Any

from mlstrata.services.gateway.envoy import part, watched
from mlstrata.services.gateway.names import CONSUMER_HEADER, QUOTA_FILTER, RATE_FILTER
from mlstrata.services.gateway.settings import QUOTAS_FILE, RATES_FILE, Consumer, GatewaySettings

_KIND = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"


def limit_filters(settings: GatewaySettings) -> list[dict[str, Any]]:
    """Return the listener's filters that count; their buckets are in files, of `render_rates` and `render_quotas`."""
    files = {RATE_FILTER: RATES_FILE, QUOTA_FILTER: QUOTAS_FILE}
    return [
        {"name": name, "config_discovery": {"config_source": watched(settings, file), "type_urls": [_KIND]}}
        for name, file in files.items()
    ]


def render_rates(settings: GatewaySettings) -> dict[str, Any]:
    """Return the rates, as the file Envoy watches."""
    buckets = [
        _bucket(system, consumer, consumer.count, consumer.per_seconds) for system, consumer in _callers(settings)
    ]
    return _counting(RATE_FILTER, "rate", buckets, {"enable_x_ratelimit_headers": "DRAFT_VERSION_03"})


def render_quotas(settings: GatewaySettings) -> dict[str, Any]:
    """Return the quotas, as the file Envoy watches."""
    buckets = [
        _bucket(system, consumer, consumer.quota, consumer.quota_seconds)
        for system, consumer in _callers(settings)
        if consumer.quota is not None
    ]
    header = {"key": "x-mlstrata-limit", "value": "quota"}
    # Told apart from the rate, which is over in a moment.
    told = {"response_headers_to_add": [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]}
    return _counting(QUOTA_FILTER, "quota", buckets, told)


def _callers(settings: GatewaySettings) -> list[tuple[str, Consumer]]:
    return [(system.name, consumer) for system in settings.systems for consumer in system.consumers]


def _bucket(system: str, consumer: Consumer, count: int, seconds: int) -> dict[str, Any]:
    return {
        "entries": [{"key": "system", "value": system}, {"key": "consumer", "value": consumer.name}],
        "token_bucket": {"max_tokens": count, "tokens_per_fill": count, "fill_interval": f"{seconds}s"},
    }


def _counting(name: str, kind: str, buckets: list[dict[str, Any]], more: dict[str, Any]) -> dict[str, Any]:
    limit = part("limit", filter=name, kind=kind, consumer_header=CONSUMER_HEADER, buckets=buckets)
    limit["resources"][0]["typed_config"] |= more
    return limit
