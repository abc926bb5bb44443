"""Mistakes planted into the resources that prod's two layers plan are refused by name; without them it passes."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from mlstrata.environments import Workspace, load_with_places
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.policy_check import planned, report_on

ROOT = Path(__file__).parents[3]


@cache
def deployment():
    return Deployment(Workspace(ROOT), load_with_places(ROOT / "environments/prod.yaml"))


@cache
def plan():
    return planned(deployment())


def put(value, path, what):
    """A value with another one at a path; None takes it away."""
    key, *rest = path
    if not isinstance(value, dict | list):
        value = {}
    made = dict(value) if isinstance(value, dict) else list(value)
    inner = made.get(key) if isinstance(made, dict) else made[key]
    new = put(inner, rest, what) if rest else what
    if new is None:
        del made[key]
    else:
        made[key] = new
    return made


def blocked(kind, name, *changes):
    """What blocks, of prod with one resource changed."""
    (planted,) = (one for one in plan().graph if (one.type, one.name) == (kind, name))
    inputs = planted.inputs
    for path, what in changes:
        inputs = put(inputs, path, what)
    graph = tuple(replace(one, inputs=inputs) if one is planted else one for one in plan().graph)
    report = report_on(deployment(), replace(plan(), graph=graph))
    return {(one.rule.id, one.subject) for one in report.results if one.blocking}


def test_prod_passes_without_them_and_without_an_exemption_for_its_substrate():
    report = report_on(deployment(), plan())
    assert report.passed, [one for one in report.results if one.blocking]
    assert "ticket: substrate" not in (ROOT / "policies/exemptions.yaml").read_text(encoding="utf-8")


BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
OPEN = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]})
ALL = json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
MISTAKES = [
    pytest.param(BLOCK, "store-closed", [(["blockPublicPolicy"], False)], "data-no-public-store", id="public bucket"),
    pytest.param(
        "aws:s3/bucketPolicy:BucketPolicy",
        "store-policy",
        [(["policy"], OPEN)],
        "data-no-public-store",
        id="bucket for all",
    ),
    pytest.param(
        RULE,
        "network-endpoints",
        [(["cidrIpv4"], "0.0.0.0/0"), (["fromPort"], 22)],
        "sec-network-closed",
        id="open security group",
    ),
    pytest.param(RULE, "database", [(["cidrIpv4"], "0.0.0.0/0")], "sec-private-db-endpoint", id="open database"),
    pytest.param(
        "aws:iam/rolePolicy:RolePolicy",
        "workloads-registry",
        [(["policy"], ALL)],
        "sec-no-wildcard-rbac",
        id="wildcard role",
    ),
    pytest.param(
        "aws:ec2/launchTemplate:LaunchTemplate",
        "nodes-system",
        [(["blockDeviceMappings", 0, "ebs", "encrypted"], "false")],
        "sec-disk-encrypted",
        id="unencrypted volume",
    ),
    pytest.param(
        "kubernetes:karpenter.sh/v1:NodePool",
        "gpu-train",
        [(["spec", "limits"], None)],
        "gpu-pool-bounded",
        id="pool without a limit",
    ),
    pytest.param(
        "aws:cloudwatch/logGroup:LogGroup",
        "logs-cluster",
        [(["retentionInDays"], 30)],
        "aia-log-retention-6m",
        id="retention too short",
    ),
    pytest.param(
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "documents-lock",
        [(["rule", "defaultRetention", "days"], 365)],
        "aia-docs-retention-10y",
        id="documents too short",
    ),
    pytest.param(
        "aws:eks/cluster:Cluster",
        "cluster",
        [(["vpcConfig", "endpointPublicAccess"], True)],
        "sec-network-closed",
        id="public endpoint",
    ),
    pytest.param(
        "aws:rds/instance:Instance",
        "database",
        [(["publiclyAccessible"], True)],
        "sec-private-db-endpoint",
        id="public database",
    ),
    pytest.param(
        "aws:s3/bucket:Bucket", "store", [(["region"], "us-east-1")], "data-region-eu", id="region outside the EU"
    ),
    pytest.param(
        "aws:s3/bucket:Bucket", "store", [(["tags", "mlstrata.io/owner"], None)], "cost-owner-tags", id="nobody pays"
    ),
    pytest.param(
        "aws:rds/instance:Instance",
        "database",
        [(["backupRetentionPeriod"], 0)],
        "rel-backup-metadata-db",
        id="no backups",
    ),
]


@pytest.mark.parametrize(("kind", "name", "changes", "policy"), MISTAKES)
def test_a_planted_mistake_is_refused_by_name(kind, name, changes, policy):
    assert policy in {rule for rule, _ in blocked(kind, name, *changes)}
