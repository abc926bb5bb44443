"""Databases: no way to one from outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import (
    Context,
    Domain,
    Rule,
    Severity,
    Verdicts,
    cannot_tell,
    fails,
    not_applicable,
    passes,
    spares,
    violates,
)
from mlstrata.policies.core.values import UNKNOWN, Value, dig, listed
from mlstrata.policies.fixtures.world import cut, having, put, without
from mlstrata.policies.remedies.stores import PRIVATE_DATABASE
from mlstrata.policies.views.iam import EVERYWHERE
from mlstrata.policies.views.kubernetes_services import SERVICE, outside, service_of
from mlstrata.policies.views.stores import DATABASES

INSTANCES = (
    *("aws:rds/clusterInstance:ClusterInstance", "aws:neptune/clusterInstance:ClusterInstance"),
    *("aws:redshift/cluster:Cluster", "aws:redshiftserverless/workgroup:Workgroup"),
    "aws:dms/replicationInstance:ReplicationInstance",
)
GROUPS = (
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/securityGroupRule:SecurityGroupRule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
)
DATABASE_PORTS = (1433, 1521, 3306, 5432, 5439, 6379, 8182, 9042, 9200, 27017)


def _private(database: Resource, _: Context) -> Verdicts:
    if database.type.startswith(GROUPS):
        for start, end in _let_in(database):
            if open_ports := [port for port in DATABASE_PORTS if start <= port <= end]:
                yield fails(
                    f"'{database.name}' opens {', '.join(map(str, open_ports))}, where databases listen, to everybody",
                    "let in only the group that needs it",
                )
    elif database.type.startswith(SERVICE):
        ports = [port for one in database.all("spec.ports") if (port := dig(one, "port")) in DATABASE_PORTS]
        if not ports:
            yield not_applicable("it is no database")
        elif outside(database):
            yield fails(f"Service '{database.name}' opens {ports[0]}, where databases listen", "type: ClusterIP")
    elif database.get("publiclyAccessible"):
        yield fails(f"the database '{database.name}' can be reached from the internet", "publiclyAccessible: false")


def _let_in(group: Resource) -> Iterator[tuple[int, int]]:
    """Yield the ranges of ports that a group lets everybody into."""
    rules: list[Value] = [group.inputs]
    if group.type == GROUPS[0]:
        rules = group.all("ingress")
    elif group.type == GROUPS[1] and group.get("type") != "ingress":
        return
    for rule in rules:
        sources = [
            *(one for field in ("cidrBlocks", "ipv6CidrBlocks") for one in listed(rule, field)),
            *(dig(rule, field) for field in ("cidrIpv4", "cidrIpv6")),
        ]
        if EVERYWHERE & {str(source) for source in sources}:
            every = str(dig(rule, "protocol", dig(rule, "ipProtocol", ""))) == "-1"
            yield (0, 65535) if every else (int(dig(rule, "fromPort", 0)), int(dig(rule, "toPort", 65535)))


_KINDS = (
    *("aws:rds/clusterInstance:ClusterInstance", "aws:neptune/clusterInstance:ClusterInstance"),
    *("aws:redshift/cluster:Cluster", "aws:redshiftserverless/workgroup:Workgroup"),
    "aws:dms/replicationInstance:ReplicationInstance",
)
_PORTS = (1433, 1521, 3306, 5432, 5439, 6379, 8182, 9042, 9200, 27017)
_ALL = ["0.0.0.0/0"]


def _inward(start: int, end: int) -> dict[str, Any]:
    return {"protocol": "tcp", "fromPort": start, "toPort": end, "cidrBlocks": _ALL}


_OPENED: dict[str, tuple[str, dict[str, Any]]] = {
    "a rule inside": (
        "aws:ec2/securityGroup:SecurityGroup",
        {"ingress": [{"fromPort": 5000, "toPort": 6000, "cidrBlocks": _ALL}]},
    ),
    "all ports": (GROUPS[0], {"ingress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "ipv6CidrBlocks": ["::/0"]}]}),
    "a rule of its own": (
        "aws:ec2/securityGroupRule:SecurityGroupRule",
        {"type": "ingress", "fromPort": 6379, "toPort": 6379, "cidrBlocks": _ALL},
    ),
    "a newer rule": (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {"fromPort": 27017, "toPort": 27017, "cidrIpv4": "0.0.0.0/0"},
    ),
    "a newer rule for IPv6": (GROUPS[2], {"ipProtocol": "-1", "cidrIpv6": "::/0"}),
}
_CLOSED: dict[str, tuple[str, dict[str, Any]]] = {
    "a port before": (GROUPS[0], {"ingress": [_inward(5433, 5438)]}),
    "the web": (GROUPS[0], {"ingress": [{"fromPort": 443, "toPort": 443, "cidrBlocks": _ALL}]}),
    "a network": (GROUPS[0], {"ingress": [{"fromPort": 5432, "toPort": 5432, "cidrBlocks": ["10.0.0.0/8"]}]}),
    "the way out": (GROUPS[1], {"type": "egress", "fromPort": 0, "toPort": 65535, "cidrBlocks": _ALL}),
}

RULES = (
    Rule(
        number=46,
        id="sec-private-db-endpoint",
        title="No database can be reached from the internet.",
        holds="it cannot be reached from the internet",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "GDPR Art. 32"),
        types=(*DATABASES, *INSTANCES, *GROUPS, SERVICE),
        severity=Severity.CRITICAL,
        resource=_private,
        remedies=(PRIVATE_DATABASE,),
        cases=(
            violates("public", put("metadata", "publiclyAccessible", True)),
            *(
                violates(kind, having(kind, "open", {"publiclyAccessible": True}), companions=("*",))
                for kind in INSTANCES
            ),
            *(
                violates(f"a group that opens its port by {name}", having(kind, "open", inputs))
                for name, (kind, inputs) in _OPENED.items()
            ),
            *(
                violates(f"a group that opens {port}", having(GROUPS[0], "open", {"ingress": [_inward(port, port)]}))
                for port in _PORTS
            ),
            violates("a rule without ports", having(GROUPS[0], "open", {"ingress": [{"cidrBlocks": _ALL}]})),
            violates(
                "a newer rule that is for all",
                having(GROUPS[2], "open", {"ipProtocol": "-1", "fromPort": 1, "toPort": 1, "cidrIpv4": _ALL[0]}),
            ),
            violates(
                "a Service for its port",
                having(SERVICE, "open", service_of(5432, type="LoadBalancer")),
                companions=("sec-tls-ingress",),
            ),
            *(
                passes(f"a group that opens {name}", having(kind, "some", inputs))
                for name, (kind, inputs) in _CLOSED.items()
            ),
            passes("a Service within", having(SERVICE, "inner", service_of(5432))),
            passes("private"),
            passes("private unless it says otherwise", cut("metadata", "publiclyAccessible")),
            spares("no database", without("metadata"), companions=("*",)),
            spares(
                "a door to something else",
                without("metadata"),
                having(SERVICE, "web", service_of(443, type="NodePort")),
                companions=("*",),
            ),
            cannot_tell("known later", put("metadata", "publiclyAccessible", UNKNOWN)),
        ),
    ),
)
