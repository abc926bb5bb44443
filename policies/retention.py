"""How long a store keeps what is put into it."""

from __future__ import annotations

import re

from environments.spec.quantities import parse_duration
from policies.graph import Graph, Resource
from policies.values import dig

_DAY = 86_400
PROMETHEUS_FLAG = "--storage.tsdb.retention.time="
RECORDS = frozenset({"predictions", "logs", "protected"})
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
PROMETHEUS = "kubernetes:monitoring.coreos.com/v1:Prometheus"
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
    if resource.type == LOCAL_SERVICE and resource.inputs.get("name") == "prometheus":
        return _flag(resource)
    if resource.type.startswith(BUCKETS) and resource.part in RECORDS:
        return expiry(resource, graph)
    return None


def expiry(bucket: Resource, graph: Graph) -> float | None:
    """Return after how many days a bucket's objects expire; None where no enabled rule says so."""
    found: list[float] = []
    for lifecycle in graph.referring(bucket, "bucket", *LIFECYCLES):
        for rule in lifecycle.all("rules"):
            days = dig(rule, "expiration.days")
            if dig(rule, "status") == "Enabled" and days:
                found.append(float(days))
    return min(found) if found else None


def _flag(resource: Resource) -> float:
    for argument in resource.all("command"):
        if isinstance(argument, str) and argument.startswith(PROMETHEUS_FLAG):
            return _days(argument.removeprefix(PROMETHEUS_FLAG))
    return 15.0  # what Prometheus keeps unasked


def _days(text: str) -> float:
    """Read Prometheus's durations, such as 200d or 1d12h."""
    parts = re.findall(r"\d+(?:ms|[smhdwy])", text)
    return sum(parse_duration(part).total_seconds() for part in parts) / _DAY
