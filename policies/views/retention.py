"""How long a store keeps what is put into it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from mlstrata.environments.spec.quantities import parse_duration
from mlstrata.policies.adapters.kubernetes_yaml import documents
from mlstrata.policies.core.graph import Graph, Resource
from mlstrata.policies.core.values import SECRET, Unknown, UnknownValueError, Value, dig, leaves, listed

_DAY = 86_400
PROMETHEUS_FLAG = "--storage.tsdb.retention.time="
GATEWAY_LOG_FLAG = "--logs-seconds"
"""How the service beside a local gateway is told for how long to keep its log of requests, in seconds."""
LOKI_LIMITS = "limits_config"
"""What Loki's settings, and nothing else's, have at their top."""
SETTINGS = ("kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret")
RECORDS = frozenset({"predictions", "logs", "protected"})
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
PROMETHEUS = "kubernetes:monitoring.coreos.com/v1:Prometheus"
RECORDER = ":recording:Recorder"
"""The recorder of a local environment, which says for how many days it keeps records."""
LOCAL_SERVICE = "pulumi-python:dynamic/mlstrata:Service"
BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
LIFECYCLES = ("aws:s3/bucketLifecycleConfiguration",)


def days_kept(resource: Resource, graph: Graph) -> float | None:
    """Return for how many days a resource keeps records or logs; None where it keeps none, infinity for good.

    Raises:
        UnknownValueError: it is known only after the deployment.
    """
    if resource.type == LOG_GROUP:
        days = float(resource.get("retentionInDays", 0))
        return days or float("inf")
    if resource.type == PROMETHEUS:
        return _days(str(resource.get("spec.retention", "24h")))
    if resource.type == LOCAL_SERVICE:
        return _flag(resource) if resource.inputs.get("name") == "prometheus" else _gateway_log(resource)
    if resource.type in SETTINGS:
        return min(_loki(resource), default=None)
    if resource.type.endswith(RECORDER):
        return float(resource.get("kept_days", 0))
    keeps = resource.type.startswith(BUCKETS) and resource.part in RECORDS
    return expiry(resource, graph) if keeps else None


def expiry(bucket: Resource, graph: Graph, *, whole: bool = False) -> float | None:
    """Return after how many days a bucket's objects expire; None where no enabled rule says so.

    Args:
        bucket: The bucket.
        graph: The plan.
        whole: Count only rules for all of it, not those for some prefix or tag; older versions must expire too.
    """
    rules = [rule for rule in _lifecycle(bucket, graph) if not (whole and rule.for_some)]
    found = [rule.days for rule in rules if rule.days]
    if whole and not any(rule.older for rule in rules) and _versioned(bucket, graph):
        return None
    return min(found) if found else None


def forgets(bucket: Resource, graph: Graph) -> bool:
    """Return whether what is deleted from a bucket is gone some day: no older version of it stays for good."""
    return not _versioned(bucket, graph) or any(rule.older and not rule.for_some for rule in _lifecycle(bucket, graph))


@dataclass(frozen=True)
class _Rule:
    """A rule that is on: for some of the objects only, after how many days they go, and whether older versions do."""

    for_some: bool
    days: float
    older: bool


def _lifecycle(bucket: Resource, graph: Graph) -> Iterator[_Rule]:
    """Yield the rules of a bucket's lifecycle that are on: those beside it, and those in its own older inputs."""
    for lifecycle in graph.referring(bucket, "bucket", *LIFECYCLES):
        for rule in lifecycle.all("rules"):
            if dig(rule, "status") == "Enabled":
                for_some = any(value for _, value in leaves(dig(rule, "filter", {}))) or bool(dig(rule, "prefix"))
                older = dig(rule, "noncurrentVersionExpiration.noncurrentDays")
                yield _Rule(for_some, float(dig(rule, "expiration.days", 0)), bool(older))
    for rule in bucket.all("lifecycleRules"):
        if dig(rule, "enabled") is True:
            for_some = bool(dig(rule, "prefix") or dig(rule, "tags"))
            days = dig(rule, "expiration.days", dig(rule, "expirations.0.days", 0))
            older = dig(rule, "noncurrentVersionExpiration.days", dig(rule, "noncurrentVersionExpirations.0.days"))
            yield _Rule(for_some, float(days), bool(older))


def _versioned(bucket: Resource, graph: Graph) -> bool:
    """Return whether a bucket keeps what is deleted or overwritten as an older version."""
    switches = graph.referring(bucket, "bucket", "aws:s3/bucketVersioning")
    return bucket.get("versioning.enabled") is True or any(
        switch.get("versioningConfiguration.status") == "Enabled" for switch in switches
    )


def _flag(resource: Resource) -> float:
    for argument in resource.all("command"):
        if isinstance(argument, str) and argument.startswith(PROMETHEUS_FLAG):
            return _days(argument.removeprefix(PROMETHEUS_FLAG))
    return 15.0  # what Prometheus keeps unasked


def _gateway_log(resource: Resource) -> float | None:
    """Return for how many days a service keeps the gateway's log; None where it does not."""
    command = resource.all("command")
    for at, word in enumerate(command):
        if isinstance(word, str) and word == GATEWAY_LOG_FLAG:
            return float(resource.get(f"command.{at + 1}")) / _DAY
    return None


def _loki(resource: Resource) -> Iterator[float]:
    """Yield the days of each period for which Loki's settings keep logs; infinity where they never delete."""
    for field in ("data", "stringData"):
        given = resource.inputs.get(field)
        if _unreadable(given) and _is_lokis(resource.name):
            raise UnknownValueError(field, secret=given is SECRET)
        for key, text in given.items() if isinstance(given, Mapping) else ():
            if _unreadable(text) and _is_lokis(str(key)):
                raise UnknownValueError(f"{field}.{key}", secret=text is SECRET)
            if not isinstance(text, str) or LOKI_LIMITS not in text:
                continue
            try:
                settings = next((one for one in documents(text) if isinstance(one, Mapping)), {})
            except yaml.YAMLError:
                raise UnknownValueError(f"{field}.{key}") from None
            if LOKI_LIMITS not in settings:
                continue
            limits = settings[LOKI_LIMITS]
            periods = [
                dig(limits, "retention_period"),
                *(dig(one, "period") for one in listed(limits, "retention_stream")),
            ]
            deletes = dig(settings, "compactor.retention_enabled") is True
            yield from ((_days(str(one)) if deletes and one else 0) or float("inf") for one in periods)


def _unreadable(value: Value) -> bool:
    return isinstance(value, Unknown) or value is SECRET


def _is_lokis(name: str) -> bool:
    """Return whether a name is one that settings of Loki have; what else cannot be read is not taken for them."""
    return "loki" in name.lower()


def _days(text: str) -> float:
    """Read Prometheus's durations, such as 200d or 1d12h."""
    parts = re.findall(r"(\d+)(ms|[smhdwy])", text)
    return sum(parse_duration(f"{count}{unit}").total_seconds() for count, unit in parts if int(count)) / _DAY
