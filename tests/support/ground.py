"""The substrate of an environment as it is planned: recorded with no engine, with answers as AWS would give them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pulumi

from mlstrata.environments import EnvironmentSpec, load
from mlstrata.stacks.program import plan_substrate
from tests.support.recorded import Graph, Registered, record

ROOT = Path(__file__).parents[2]
PROD = ROOT / "environments/prod.yaml"
_IDS = {"aws:ec2/subnet:Subnet": "subnet", "aws:ec2/securityGroup:SecurityGroup": "sg", "aws:ec2/vpc:Vpc": "vpc"}
ACCOUNT, REGION = "123456789012", "eu-central-1"


def prod(**target: object) -> EnvironmentSpec:
    """prod's file, with other facts of its target."""
    values = load(PROD).model_dump(mode="json", by_alias=True)
    return EnvironmentSpec.model_validate({**values, "target": {**values["target"], **target}})


def ground_of(spec: EnvironmentSpec, *, made: bool = False) -> Graph:
    """Return the graph of a substrate; `made`: what only AWS can say is known, else it is not, as in a plan."""

    def program() -> None:
        for name, value in plan_substrate(spec).items():
            pulumi.export(name, value)

    return record(program, stack=f"{spec.name}.substrate", respond=answer if made else unsaid, dry_run=not made)


def unsaid(_: Registered) -> Mapping[str, Any]:
    return {}


def answer(one: Registered) -> Mapping[str, Any]:
    """What AWS gives of a resource, as far as another one or the outputs ask for it."""
    digest = sha256(one.urn.encode()).hexdigest()
    given = {
        "arn": f"arn:aws:{one.type.split(':')[1].partition('/')[0]}:{REGION}:{ACCOUNT}:{one.name}",
        "id": _IDS.get(one.type, "id") + f"-{digest[:17]}",
    }
    return given | {
        "aws:iam/role:Role": {"arn": f"arn:aws:iam::{ACCOUNT}:role/{one.inputs.get('name')}"},
        "aws:kms/key:Key": {"arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{digest[:8]}", "keyId": digest[:8]},
        "aws:eks/cluster:Cluster": {
            "endpoint": f"https://{digest[:32].upper()}.gr7.{REGION}.eks.amazonaws.com",
            "certificateAuthority": {"data": "c3RhbmQtaW4="},
            "vpcConfig": {**one.inputs.get("vpcConfig", {}), "clusterSecurityGroupId": f"sg-{digest[:17]}"},
        },
        "aws:rds/instance:Instance": {
            "address": f"{one.inputs.get('identifier')}.0123456789ab.{REGION}.rds.amazonaws.com",
            "masterUserSecrets": [{"secretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-1"}],
        },
        "aws:elasticache/replicationGroup:ReplicationGroup": {
            "primaryEndpointAddress": f"master.{one.inputs.get('replicationGroupId')}.cache.amazonaws.com"
        },
        "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
        "aws:ec2/eip:Eip": {"allocationId": f"eipalloc-{digest[:17]}"},
        "aws:sqs/queue:Queue": {"url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{one.inputs.get('name')}"},
    }.get(one.type, {})
