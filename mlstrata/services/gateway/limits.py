"""How many requests a consumer may send a system: its rate, and its quota over a long time.

One bucket for each consumer of each system, whichever of its paths are asked: two versions of the interface give
nobody twice as much. The buckets are counted in the listener and not in the routes, which are written anew at every
release, so a release refills none. They are read from files of their own, so that another limit closes no connection;
it begins anew, as all do when the gateway restarts, for they lie in Envoy's memory.
"""

from __future__ import annotations

from typing import Any

from mlstrata.services.gateway.bootstrap import watched
from mlstrata.services.gateway.names import CONSUMER_HEADER, QUOTA_FILTER, RATE_FILTER
from mlstrata.services.gateway.settings import QUOTAS_FILE, RATES_FILE, Consumer, GatewaySettings

_API = "type.googleapis.com/envoy"
_KIND = f"{_API}.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_ALWAYS = {"default_value": {"numerator": 100}}
_MORE_THAN_ANYONE_SENDS = 4_294_967_295


def limit_filters(settings: GatewaySettings) -> list[dict[str, Any]]:
    """Return the listener's filters that count; their buckets are in files, of `render_rates` and `render_quotas`."""
    files = {RATE_FILTER: RATES_FILE, QUOTA_FILTER: QUOTAS_FILE}
    kinds = [_KIND.removeprefix("type.googleapis.com/")]
    return [
        {"name": name, "config_discovery": {"config_source": watched(settings, file), "type_urls": kinds}}
        for name, file in files.items()
    ]


def render_rates(settings: GatewaySettings) -> dict[str, Any]:
    """Return the rates, as the file Envoy watches."""
    buckets = [
        _bucket(system, consumer, consumer.count, consumer.per_seconds) for system, consumer in _callers(settings)
    ]
    return _file(RATE_FILTER, _counting("rate", buckets) | {"enable_x_ratelimit_headers": "DRAFT_VERSION_03"})


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
    return _file(QUOTA_FILTER, _counting("quota", buckets) | told)


def _callers(settings: GatewaySettings) -> list[tuple[str, Consumer]]:
    return [(system.name, consumer) for system in settings.systems for consumer in system.consumers]


def _file(name: str, config: dict[str, Any]) -> dict[str, Any]:
    kind = f"{_API}.config.core.v3.TypedExtensionConfig"
    return {"resources": [{"@type": kind, "name": name, "typed_config": config}]}


def _bucket(system: str, consumer: Consumer, count: int, seconds: int) -> dict[str, Any]:
    return {
        "entries": [{"key": "system", "value": system}, {"key": "consumer", "value": consumer.name}],
        "token_bucket": {"max_tokens": count, "tokens_per_fill": count, "fill_interval": f"{seconds}s"},
    }


def _counting(name: str, buckets: list[dict[str, Any]]) -> dict[str, Any]:
    system = {
        "metadata": {
            "descriptor_key": "system",
            "source": "ROUTE_ENTRY",
            "metadata_key": {"key": "mlstrata", "path": [{"key": "system"}]},
        }
    }
    consumer = {"request_headers": {"header_name": CONSUMER_HEADER, "descriptor_key": "consumer"}}
    return {
        "@type": _KIND,
        "stat_prefix": name,
        "filter_enabled": _ALWAYS | {"runtime_key": f"mlstrata.{name}.enabled"},
        "filter_enforced": _ALWAYS | {"runtime_key": f"mlstrata.{name}.enforced"},
        "rate_limits": [{"actions": [system, consumer]}],
        "rate_limited_as_resource_exhausted": True,
        # The bucket of whoever has no limit of this kind: never empty.
        "always_consume_default_token_bucket": False,
        "token_bucket": {
            "max_tokens": _MORE_THAN_ANYONE_SENDS,
            "tokens_per_fill": _MORE_THAN_ANYONE_SENDS,
            "fill_interval": "1s",
        },
        "descriptors": buckets,
    }
