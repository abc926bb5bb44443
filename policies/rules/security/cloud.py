"""What a cloud lays under a platform: networks that let nobody in, API servers that not everybody reaches, disks."""

from __future__ import annotations

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import Context, Domain, Rule, Severity, Verdicts, fails, not_applicable
from mlstrata.policies.core.values import dig
from mlstrata.policies.rules.security.databases import DATABASE_PORTS, GROUPS, let_in
from mlstrata.policies.views.iam import EVERYWHERE

CLUSTER = "aws:eks/cluster:Cluster"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
VOLUME = "aws:ebs/volume:Volume"
BY_DEFAULT = "aws:ebs/encryptionByDefault:EncryptionByDefault"
WEB_PORTS = (80, 443)
"""Where a door to the internet may be; whether it is one is for sec-tls-ingress."""


def _closed(resource: Resource, _: Context) -> Verdicts:
    if resource.type.startswith(CLUSTER):
        yield from _api_server(resource)
        return
    for start, end in let_in(resource):
        # One that opens a database's port is sec-private-db-endpoint's.
        database = any(start <= port <= end for port in DATABASE_PORTS)
        if not database and not (start == end and start in WEB_PORTS):
            what = f"port {start}" if start == end else f"ports {start} to {end}"
            yield fails(f"'{resource.name}' opens {what} to everybody", "let in only the networks that need it")


def _api_server(cluster: Resource) -> Verdicts:
    # The API's own defaults: a public endpoint, for everybody.
    if cluster.get("vpcConfig.endpointPublicAccess", default=True) is False:
        return
    if EVERYWHERE & set(map(str, cluster.all("vpcConfig.publicAccessCidrs") or EVERYWHERE)):
        yield fails(
            f"everybody reaches the API server of '{cluster.name}'",
            "endpointPublicAccess: false, or publicAccessCidrs of the networks that need it",
            "/target.api_from",
        )


def _encrypted(disks: Resource, context: Context) -> Verdicts:
    if any(one.get("enabled", default=True) is True for one in context.graph.of(BY_DEFAULT)):
        yield not_applicable("the account encrypts every disk")
        return
    if disks.type.startswith(VOLUME):
        said = [disks.get("encrypted")]
    else:
        said = [dig(one, "ebs.encrypted") for one in disks.all("blockDeviceMappings")]
    if not said or any(str(one).lower() != "true" for one in said):
        yield fails(f"{disks.kind} '{disks.name}' has a disk that is not encrypted", "encrypted: true on every disk")


RULES = (
    Rule(
        id="sec-network-closed",
        title="No network lets everybody in, and not everybody reaches a cluster's API server.",
        holds="only the web's ports and named networks are open",
        references=("AI Act Art. 15(5)", "GDPR Art. 32"),
        domain=Domain.SECURITY,
        types=(*GROUPS, CLUSTER),
        severity=Severity.CRITICAL,
        resource=_closed,
    ),
    Rule(
        id="sec-disk-encrypted",
        title="The disks of machines are encrypted.",
        holds="its disks are encrypted",
        references=("AI Act Art. 15(5)", "GDPR Art. 32"),
        domain=Domain.SECURITY,
        types=(TEMPLATE, VOLUME),
        severity=Severity.HIGH,
        resource=_encrypted,
    ),
)
