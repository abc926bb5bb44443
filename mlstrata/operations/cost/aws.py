"""What resources of an AWS account are measured by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from mlstrata.operations.cost.measured import FREE, Measured, by_use, count, fixed, metered, unknown
from mlstrata.operations.cost.prices import PriceTable, Unit
from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.values import UNKNOWN, dig

_DISK = 20
"""GiB of disk that a node of a group gets where nothing says so, as EKS has it."""
_LOG_GROUP = "cloud-watch-logs"
Where = tuple[PriceTable, str]
"""The prices and the region."""


def measured(resource: Resource, table: PriceTable, region: str) -> Measured:
    """Return what a resource of an account is measured by.

    Raises:
        UnknownValueError: something that counts is known only after the deployment.
    """
    kind = resource.type.removeprefix("aws:").partition(":")[0]
    if found := _PAID.get(kind):
        return found(resource, (table, region))
    if kind in _FREE or kind.startswith(_FREE_SERVICES):
        return FREE
    return unknown("no measure is known for its kind")


def _nodes(resource: Resource, where: Where) -> Measured:
    scaling = resource.get("scalingConfig", {})
    low, high = (Decimal(int(dig(scaling, key, 1))) for key in ("minSize", "maxSize"))
    spot = "/spot" if resource.get("capacityType", "ON_DEMAND") == "SPOT" else ""
    names = [f"ec2/{one}{spot}" for one in resource.all("instanceTypes")]
    if not names:
        return unknown("its kinds of machine are in a launch template; name them in instanceTypes")
    table, region = where
    prices = {name: table.price(name, region, Unit.HOUR) for name in names}
    if missing := [name for name, price in prices.items() if price is None]:
        return unknown(f"no price of {', '.join(missing)} in {region}")
    by_amount = sorted((price.amount, name) for name, price in prices.items() if price is not None)
    cheapest, dearest = by_amount[0][1], by_amount[-1][1]
    disk = _disk(resource)
    return metered(
        fixed(cheapest, Unit.HOUR, f"{count(low, high)} x {cheapest}", low, Decimal(0)),
        fixed(dearest, Unit.HOUR, "" if cheapest == dearest else f"or {dearest}", Decimal(0), high),
        fixed("ebs/gp3", Unit.GIB_MONTH, f"{disk} GiB of disk each", disk * low, disk * high),
    )


def _disk(resource: Resource) -> Decimal:
    """Return the GiB of disk that each node of a group gets: its launch template's, else its own."""
    for template in resource.refers("launchTemplate"):
        sizes = [dig(one, "ebs.volumeSize") for one in template.all("blockDeviceMappings")]
        if any(sizes):
            return sum((Decimal(int(size)) for size in sizes if size), Decimal(0))
    return Decimal(int(resource.get("diskSize", _DISK)))


def _database(resource: Resource, _: Where) -> Measured:
    zones = "multi" if resource.get("multiAz", False) else "single"
    engine, machine = resource.get("engine"), str(resource.get("instanceClass")).removeprefix("db.")
    size = Decimal(int(resource.get("allocatedStorage", 0)))
    most = max(size, Decimal(int(resource.get("maxAllocatedStorage", 0))))
    storage = resource.get("storageType", "gp2")
    # A password that RDS manages is a secret that the account pays.
    password = (fixed("secret", Unit.MONTH, "1 secret"),) if resource.get("manageMasterUserPassword", False) else ()
    return metered(
        *password,
        fixed(f"rds/{engine}/{machine}/{zones}", Unit.HOUR, f"1 x db.{machine}, {zones} zone"),
        fixed(f"rds/storage/{storage}/{zones}", Unit.GIB_MONTH, f"{count(size, most)} GiB of storage", size, most),
        by_use("rds/backup", Unit.GIB_MONTH, "backups beyond the size of the database"),
    )


def _cache(resource: Resource, _: Where) -> Measured:
    machine = str(resource.get("nodeType")).removeprefix("cache.")
    groups = int(resource.get("numNodeGroups", 1)) * (int(resource.get("replicasPerNodeGroup", 0)) + 1)
    nodes = Decimal(max(groups, int(resource.get("numCacheClusters", resource.get("numCacheNodes", 1)))))
    name = f"elasticache/{resource.get('engine', 'redis')}/{machine}"
    return metered(fixed(name, Unit.HOUR, f"{nodes} x cache.{machine}", nodes))


def _endpoint(resource: Resource, _: Where) -> Measured:
    if resource.get("vpcEndpointType", "Gateway") == "Gateway":
        return FREE
    subnets = resource.inputs.get("subnetIds") or [None]
    if subnets is UNKNOWN:
        return unknown("in how many zones it is, is known only after the deployment")
    zones = Decimal(len(subnets))
    return metered(
        fixed("endpoint/interface", Unit.HOUR, f"1 endpoint in {zones} zones", zones),
        by_use("endpoint/traffic", Unit.GB, "traffic through it"),
    )


def _volume(resource: Resource, _: Where) -> Measured:
    size = Decimal(int(resource.get("size", 0)))
    return metered(fixed(f"ebs/{resource.get('type', 'gp2')}", Unit.GIB_MONTH, f"{size} GiB of disk", size))


def _trail(resource: Resource, _: Where) -> Measured:
    # The first copy of management events is free; what touches data is paid an event.
    selectors = [*resource.all("eventSelectors"), *resource.all("advancedEventSelectors")]
    recording = any("dataResources" in one or "fieldSelectors" in one for one in selectors)
    return metered(by_use("trail/data-events", Unit.MILLION, "events on data")) if recording else FREE


def _flows(resource: Resource, _: Where) -> Measured:
    # What is written to a group of logs is paid there.
    if resource.get("logDestinationType", _LOG_GROUP) == _LOG_GROUP:
        return FREE
    return metered(by_use("logs/vended", Unit.GB, "what it writes"))


def _fixed(price: str, unit: Unit, what: str) -> Callable[[Resource, Where], Measured]:
    return lambda *_: metered(fixed(price, unit, what))


def _used(*uses: tuple[str, Unit, str]) -> Callable[[Resource, Where], Measured]:
    return lambda *_: metered(*(by_use(*one) for one in uses))


_BUCKET = _used(
    ("s3/storage", Unit.GIB_MONTH, "what it holds"),
    ("s3/reads", Unit.MILLION, "reads of it"),
    ("s3/writes", Unit.MILLION, "writes to it"),
)
_LOGS = _used(("logs/ingested", Unit.GB, "what is written"), ("logs/storage", Unit.GIB_MONTH, "what it holds"))
_PAID: Mapping[str, Callable[[Resource, Where], Measured]] = {
    "eks/cluster": _fixed("eks/cluster", Unit.HOUR, "1 cluster"),
    "eks/nodeGroup": _nodes,
    "rds/instance": _database,
    "elasticache/replicationGroup": _cache,
    "elasticache/cluster": _cache,
    "ec2/natGateway": lambda *_: metered(
        fixed("nat/gateway", Unit.HOUR, "1 gateway"), by_use("nat/traffic", Unit.GB, "traffic through it")
    ),
    "ec2/eip": _fixed("ipv4/public", Unit.HOUR, "1 public address"),
    "ec2/vpcEndpoint": _endpoint,
    "ec2/flowLog": _flows,
    "ebs/volume": _volume,
    "kms/key": _fixed("kms/key", Unit.MONTH, "1 key"),
    "secretsmanager/secret": _fixed("secret", Unit.MONTH, "1 secret"),
    "s3/bucket": _BUCKET,
    "s3/bucketV2": _BUCKET,
    "cloudwatch/logGroup": _LOGS,
    "cloudwatch/metricAlarm": _fixed("alarm", Unit.MONTH, "1 alarm"),
    "cloudtrail/trail": _trail,
    "ecr/repository": _used(("ecr/storage", Unit.GIB_MONTH, "images in it")),
    "sqs/queue": _used(("sqs/requests", Unit.MILLION, "requests to it")),
    "sns/topic": _used(("sns/requests", Unit.MILLION, "messages to it")),
}
"""Module and class of what costs something."""
_FREE = frozenset(
    {
        *("ec2/vpc", "ec2/subnet", "ec2/routeTable", "ec2/routeTableAssociation", "ec2/route", "ec2/internetGateway"),
        *("ec2/securityGroup", "ec2/securityGroupRule", "ec2/defaultSecurityGroup", "ec2/launchTemplate"),
        *("ec2/networkAcl", "ec2/defaultNetworkAcl", "ec2/defaultRouteTable", "ec2/vpcEndpointPolicy"),
        *("ec2/mainRouteTableAssociation", "ec2/vpcDhcpOptions", "ec2/keyPair", "ec2/placementGroup"),
        *("vpc/securityGroupIngressRule", "vpc/securityGroupEgressRule", "ebs/encryptionByDefault"),
        *("eks/accessEntry", "eks/accessPolicyAssociation", "eks/addon", "eks/podIdentityAssociation"),
        *("rds/subnetGroup", "rds/parameterGroup", "elasticache/subnetGroup", "elasticache/parameterGroup"),
        *("kms/alias", "secretsmanager/secretPolicy", "secretsmanager/secretVersion"),
        *("cloudwatch/eventRule", "cloudwatch/eventTarget", "cloudwatch/logResourcePolicy", "sqs/queuePolicy"),
        *("ecr/lifecyclePolicy", "ecr/repositoryPolicy", "ecr/registryPolicy", "ecr/registryScanningConfiguration"),
        *("sns/topicPolicy", "sns/topicSubscription", "budgets/budget", "ec2/ebsDefaultKmsKey", "ebs/defaultKmsKey"),
        *("ec2/serialConsoleAccess", "ec2/instanceMetadataDefaults", "ec2/defaultNetworkAcl"),
    }
)
_FREE_SERVICES = ("iam/", "s3/bucket", "s3control/", "account/", "accessanalyzer/")
"""Beginnings of what costs nothing of its own: what stands beside a bucket is the bucket's."""
