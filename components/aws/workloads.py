"""What pods may do in the account: a role for each Kubernetes account, and in it no more than that needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.base import AwsComponent
from mlstrata.components.aws.documents import Statement, allow, document, trust_of_pods
from mlstrata.components.aws.keys import DATA, use
from mlstrata.components.cluster import Ownership
from mlstrata.components.naming import forms
from mlstrata.components.naming.forms import PLATFORM
from mlstrata.components.serving.outputs import serving_name
from mlstrata.environments import Capability, EnvironmentSpec
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.serving.cluster import job_of

REGISTRY, BACKUPS, FEATURES = "mlflow", "backups", "features"
"""Folders of the store, each with the one who writes there."""
_WRITE = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject")
SECRETS = "secrets"


@dataclass(frozen=True)
class Workload:
    """A Kubernetes account and what it may do in AWS.

    Attributes:
        role: Its role, by what it is called in the environment.
        namespace: Where it is.
        account: Its name.
        statements: What it may do.
        ownership: Whose it is; None: the platform's.
        tier: Risk tier of its AI system; empty: it belongs to none.
    """

    role: str
    namespace: str
    account: str
    statements: tuple[Statement, ...]
    ownership: Ownership | None = None
    tier: str = ""


def workloads(spec: EnvironmentSpec, account: Account, bucket: str) -> tuple[Workload, ...]:
    """Return every account of an environment's platform and systems that needs something of AWS."""
    return (*_platform(spec, account, bucket), *_systems(spec, account, bucket))


def _platform(spec: EnvironmentSpec, account: Account, bucket: str) -> Iterator[Workload]:
    yield Workload("registry", PLATFORM, "mlflow", _writes(account, bucket, REGISTRY))
    if Capability.BACKUP in spec.capabilities:
        yield Workload("backup", PLATFORM, "backup", _writes(account, bucket, BACKUPS))
    if Capability.FEATURE_STORE in spec.capabilities:
        yield Workload("features", "feast-operator-system", "feast-features", _reads(account, bucket, FEATURES))
    if Capability.SECRETS in spec.capabilities:
        named = account.arn("secretsmanager", f"secret:{spec.name}/*")
        own = allow(["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], [named])
        yield Workload(SECRETS, "external-secrets", "external-secrets", (own, use(account, DATA, write=False)))


def _systems(spec: EnvironmentSpec, account: Account, bucket: str) -> Iterator[Workload]:
    teams = {team.name: team for team in spec.teams}
    for system in spec.systems:
        team = teams.get(system.team or "")
        owner = spec.owner_of(system) or (team and team.owner) or account.ownership.owner
        payer = system.cost_centre or (team and team.cost_centre) or account.ownership.cost_centre
        reads = (*_reads(account, bucket, REGISTRY), *_data(system, account, bucket))
        one = Workload(
            role="",
            namespace=forms.namespace_of(PLATFORM, system.team, system.name),
            account="",
            statements=reads,
            ownership=Ownership(owner, payer, system.name),
            tier=system.risk.tier.value if system.risk.tier else "",
        )
        names = [forms.training(system.name)] if system.untrainable() is None else []
        scores = system.serving.mode is ServingMode.BATCH
        names.append(job_of(system.name) if scores else serving_name(system.name))
        yield from (replace(one, role=name, account=name) for name in names)


def _data(system: SystemSpec, account: Account, bucket: str) -> Iterator[Statement]:
    """Yield the right to read a system's datasets that lie in the environment's own bucket."""
    found = [
        account.bucket_arn(bucket, one.location.name)
        for one in system.data
        if one.location is not None and one.location.scheme == "s3" and one.location.place == bucket
    ]
    if found:
        yield allow(["s3:GetObject"], found)


def _writes(account: Account, bucket: str, folder: str) -> tuple[Statement, ...]:
    return (
        _lists(account, bucket, folder),
        allow(_WRITE, [account.bucket_arn(bucket, f"{folder}/*")]),
        use(account, DATA),
    )


def _reads(account: Account, bucket: str, folder: str) -> tuple[Statement, ...]:
    return (
        _lists(account, bucket, folder),
        allow(["s3:GetObject"], [account.bucket_arn(bucket, f"{folder}/*")]),
        use(account, DATA, write=False),
    )


def _lists(account: Account, bucket: str, folder: str) -> Statement:
    within = {"StringLike": {"s3:prefix": [f"{folder}/*", folder]}}
    return allow(["s3:ListBucket"], [account.bucket_arn(bucket)], within)


@dataclass(frozen=True)
class WorkloadsArgs:
    """Arguments of `Workloads`.

    Attributes:
        account: Where.
        cluster: The cluster.
        workloads: Who may do what.
    """

    account: Account
    cluster: Any
    workloads: tuple[Workload, ...]


class Workloads(AwsComponent):
    """A role for each workload, which the pods of its account have by EKS Pod Identity: no key lies anywhere."""

    def __init__(self, name: str, args: WorkloadsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.account, opts)
        for one in args.workloads:
            identify(self, args.cluster, one)
        self.register_outputs({})


def identify(component: AwsComponent, cluster: Any, workload: Workload) -> Any:
    """Make a workload's role and give it to its account; return the role."""
    account = component.account
    more = {"tier": workload.tier} if workload.tier else {}
    tags = account.tags(workload.role, more, workload.ownership)
    role = aws.iam.Role(
        component.of(workload.role),
        name=account.role(workload.role),
        description=f"Pods of {workload.namespace}/{workload.account}",
        assume_role_policy=trust_of_pods(account.name(), workload.namespace, workload.account),
        tags=tags,
        opts=component.child(),
    )
    aws.iam.RolePolicy(
        component.of(workload.role),
        name="own",
        role=role.name,
        policy=document(*workload.statements),
        opts=component.child(),
    )
    aws.eks.PodIdentityAssociation(
        component.of(workload.role),
        cluster_name=cluster.name,
        namespace=workload.namespace,
        service_account=workload.account,
        role_arn=role.arn,
        tags=tags,
        opts=component.child(),
    )
    return role
