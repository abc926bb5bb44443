"""Remedies of stores and logs: closed, private, kept long enough, backed up, classified, booked."""

from __future__ import annotations

from collections.abc import Mapping

from mlstrata.policies.adapters.remedy import Options, Remedy, changed
from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.values import Value
from mlstrata.policies.views.retention import LOG_GROUP, PROMETHEUS, days_kept

ACLS = ("aws:s3/bucketAcl", "aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read")
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
SIX_MONTHS = 184
"""Days: the longest six months of the calendar, March to August."""
CLOUDWATCH_DAYS = 365
"""The fewest days CloudWatch offers that are six months: it knows 180, then 365."""
WEEK = 7


def _blocked(block: Resource, _: Options) -> Mapping[str, Value]:
    if all(block.get(one) is True for one in BLOCKS):
        return block.inputs
    return {**block.inputs, **dict.fromkeys(BLOCKS, True)}


def _private_acl(bucket: Resource, _: Options) -> Mapping[str, Value]:
    return {**bucket.inputs, "acl": "private"} if bucket.get("acl") in PUBLIC_ACLS else bucket.inputs


def _private(database: Resource, _: Options) -> Mapping[str, Value]:
    return {**database.inputs, "publiclyAccessible": False} if database.get("publiclyAccessible") else database.inputs


def _backed_up(database: Resource, _: Options) -> Mapping[str, Value]:
    if int(database.get("backupRetentionPeriod", 0)) >= WEEK:
        return database.inputs
    return {**database.inputs, "backupRetentionPeriod": WEEK}


def _kept(store: Resource, _: Options) -> Mapping[str, Value]:
    days = days_kept(store, store.graph)
    if days is None or days >= SIX_MONTHS:
        return store.inputs
    if store.type == LOG_GROUP:
        return {**store.inputs, "retentionInDays": CLOUDWATCH_DAYS}
    return changed(store.inputs, "spec.retention", f"{SIX_MONTHS}d")


def labelled(resource: Resource, labels: Mapping[str, str]) -> Mapping[str, Value]:
    """Return a resource's inputs with what is missing of `labels`: tags on AWS, labels on Kubernetes."""
    missing = {name: value for name, value in labels.items() if not resource.label(name)}
    if not missing:
        return resource.inputs
    if not resource.type.startswith("kubernetes:"):
        return {**resource.inputs, "tags": {**resource.get("tags", {}), **missing}}
    given = resource.get("metadata.labels", {})
    return changed(resource.inputs, "metadata.labels", {**given, **missing})


def classified(types: tuple[str, ...], label: str, classes: tuple[str, ...]) -> Remedy:
    """Return the remedy that gives unclassified stores the class a person chose."""

    def mend(store: Resource, options: Options) -> Mapping[str, Value]:
        known = store.label(label) or options["classification"] not in classes
        return store.inputs if known else labelled(store, {label: options["classification"]})

    return Remedy(types, mend, {"classification": f"How unlabelled stores are classified: {', '.join(classes)}."})


def booked(types: tuple[str, ...], owner: str, cost_centre: str) -> Remedy:
    """Return the remedy that books what nobody is named for to whom a person chose."""

    def mend(resource: Resource, options: Options) -> Mapping[str, Value]:
        return labelled(resource, {owner: options["owner"], cost_centre: options["cost_centre"]})

    return Remedy(types, mend, {"owner": "Whom unlabelled resources belong to.", "cost_centre": "Who pays for them."})


BLOCKED = Remedy(("aws:s3/bucketPublicAccessBlock",), _blocked)
PRIVATE_ACL = Remedy(ACLS, _private_acl)
PRIVATE_DATABASE = Remedy(("aws:rds/instance:Instance", "aws:rds/clusterInstance:ClusterInstance"), _private)
BACKED_UP = Remedy(("aws:rds/instance:Instance", "aws:rds/cluster:Cluster"), _backed_up)
KEPT = Remedy((LOG_GROUP, PROMETHEUS), _kept)
