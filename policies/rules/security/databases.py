"""Databases: no way to one from outside."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import Context, Domain, Rule, Severity, Verdicts, fails, not_applicable
from mlstrata.policies.core.values import Value, dig, listed
from mlstrata.policies.remedies.stores import PRIVATE_DATABASE
from mlstrata.policies.views.iam import EVERYWHERE
from mlstrata.policies.views.kubernetes import SERVICE, outside
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
        for start, end in let_in(database):
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


def let_in(group: Resource) -> Iterator[tuple[int, int]]:
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


RULES = (
    Rule(
        id="sec-private-db-endpoint",
        title="No database can be reached from the internet.",
        holds="it cannot be reached from the internet",
        references=("AI Act Art. 15(5)", "GDPR Art. 32"),
        domain=Domain.SECURITY,
        types=(*DATABASES, *INSTANCES, *GROUPS, SERVICE),
        severity=Severity.CRITICAL,
        resource=_private,
        remedies=(PRIVATE_DATABASE,),
    ),
)
