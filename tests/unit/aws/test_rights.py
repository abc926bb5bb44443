"""Who may do what: every action is one that AWS has, nothing is open by a star, and a matrix of calls holds."""

import json
import re
from functools import cache

import pytest

from mlstrata.environments.spec.environment import EnvironmentSpec
from tests.support.aws_calls import model
from tests.support.ground import ACCOUNT, REGION, ground_of, prod
from tests.support.iam import allows

IAM_ONLY = {
    # Actions that are no operation of their own, each with the operations that ask for it.
    "s3": {"ListBucket": "ListObjectsV2", "GetBucketAcl": "GetBucketAcl"},
    "kms": {"ReEncrypt*": "ReEncrypt", "GenerateDataKey*": "GenerateDataKey"},
    "iam": {"PassRole": "GetRole"},
    "elasticloadbalancing": {},
}
MODELS = {"elasticloadbalancing": "elbv2"}
"""Service of IAM to what botocore calls it, where they differ."""
OF_ALL = {
    # What cannot be bounded by a resource: AWS knows none for these calls.
    *("Looks", "KnowsPrices", "ListsProfiles"),
}
STORE = "arn:aws:s3:::mlstrata-prod-123456789012"
DATA_KEY = {"kms:ResourceAliases": ["alias/mlstrata-prod-data"]}
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
NODE_TAGS = {
    "aws:RequestTag/kubernetes.io/cluster/mlstrata-prod": "owned",
    "aws:RequestTag/eks:eks-cluster-name": "mlstrata-prod",
    "aws:RequestTag/karpenter.sh/nodepool": "mlstrata-train",
}
OURS = {
    "aws:ResourceTag/kubernetes.io/cluster/mlstrata-prod": "owned",
    "aws:ResourceTag/karpenter.sh/nodepool": "mlstrata-train",
}
INSTANCE = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1"


@cache
def graph():
    values = prod().model_dump(mode="json", by_alias=True)
    return ground_of(EnvironmentSpec.model_validate({**values, "stage": "mature"}))


@cache
def rights() -> dict[str, str]:
    """Role, as it is called in the environment, to its own policy."""
    return {one.name.partition("-")[2]: one.inputs["policy"] for one in graph().all("RolePolicy")}


def statements():
    for role, policy in rights().items():
        for one in json.loads(policy)["Statement"]:
            yield role, one


@cache
def operations(service: str) -> frozenset[str]:
    return frozenset(model(MODELS.get(service, service)).operation_names)


def test_every_action_is_one_that_aws_has():
    wrong = [
        (role, action)
        for role, one in statements()
        for action in one["Action"]
        for service, _, name in [action.partition(":")]
        if IAM_ONLY.get(service, {}).get(name, name) not in operations(service)
    ]
    assert wrong == []
    assert {action for _, one in statements() for action in one["Action"] if "*" in action} == set()


def test_a_star_for_a_resource_is_named_and_nothing_is_said_twice():
    assert {one.get("Sid") for _, one in statements() if "*" in one["Resource"]} == OF_ALL
    for role, policy in rights().items():
        sids = [one["Sid"] for one in json.loads(policy)["Statement"] if "Sid" in one]
        assert len(sids) == len(set(sids)), role
        assert all(re.fullmatch("[A-Za-z0-9]+", one) for one in sids), role
        assert len(policy) < 10_240, f"{role}: AWS takes no longer policy inside of a role"


def test_a_role_is_taken_by_one_account_of_the_cluster_or_one_service():
    for one in graph().all("Role"):
        (statement,) = json.loads(one.inputs["assumeRolePolicy"])["Statement"]
        service = statement["Principal"]["Service"]
        if service != "pods.eks.amazonaws.com":
            assert service in {"eks.amazonaws.com", "ec2.amazonaws.com", "vpc-flow-logs.amazonaws.com"}
            continue
        bound = statement["Condition"]["StringEquals"]
        assert bound["aws:RequestTag/eks-cluster-name"] == "mlstrata-prod"
        assert set(bound) == {
            "aws:RequestTag/eks-cluster-name",
            "aws:RequestTag/kubernetes-namespace",
            "aws:RequestTag/kubernetes-service-account",
        }


ALLOWED = [
    ("registry", "s3:PutObject", f"{STORE}/mlflow/1/model", {}),
    ("registry", "s3:ListBucket", STORE, {"s3:prefix": "mlflow/1"}),
    ("registry", "kms:GenerateDataKey", KEY, DATA_KEY),
    ("backup", "s3:PutObject", f"{STORE}/backups/database/1", {}),
    ("features", "s3:GetObject", f"{STORE}/features/a", {}),
    ("serving-mortgage-approval", "s3:GetObject", f"{STORE}/mlflow/1/model", {}),
    ("serving-mortgage-approval", "kms:Decrypt", KEY, DATA_KEY),
    (
        "secrets",
        "secretsmanager:GetSecretValue",
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/database-a",
        {},
    ),
    ("karpenter", "ec2:RunInstances", INSTANCE, NODE_TAGS),
    ("karpenter", "ec2:TerminateInstances", INSTANCE, OURS),
    (
        "karpenter",
        "iam:PassRole",
        f"arn:aws:iam::{ACCOUNT}:role/mlstrata-prod-nodes",
        {"iam:PassedToService": "ec2.amazonaws.com"},
    ),
    ("karpenter", "sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:mlstrata-prod-interruptions", {}),
    ("flows", "logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/mlstrata/prod/flows:log-stream:a", {}),
]
BALANCER = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/net/k8s-a/1"
ALLOWED += [
    (
        "balancer",
        "elasticloadbalancing:CreateLoadBalancer",
        BALANCER,
        {"aws:RequestTag/elbv2.k8s.aws/cluster": "mlstrata-prod"},
    ),
    (
        "balancer",
        "elasticloadbalancing:DeleteLoadBalancer",
        BALANCER,
        {"aws:ResourceTag/elbv2.k8s.aws/cluster": "mlstrata-prod"},
    ),
    ("balancer", "ec2:DescribeSubnets", "*", {"aws:RequestedRegion": REGION}),
]
DENIED = [
    (
        "balancer",
        "elasticloadbalancing:DeleteLoadBalancer",
        BALANCER,
        {"aws:ResourceTag/elbv2.k8s.aws/cluster": "other"},
    ),
    ("balancer", "elasticloadbalancing:CreateLoadBalancer", BALANCER, {}),
    (
        "balancer",
        "elasticloadbalancing:DeleteLoadBalancer",
        BALANCER.replace("/net/", "/app/"),
        {"aws:ResourceTag/elbv2.k8s.aws/cluster": "mlstrata-prod"},
    ),
    ("balancer", "ec2:AuthorizeSecurityGroupIngress", f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/sg-1", {}),
    ("registry", "s3:GetObject", f"{STORE}/backups/database/1", {}),
    ("registry", "s3:ListBucket", STORE, {}),
    ("registry", "s3:DeleteBucket", STORE, {}),
    ("registry", "s3:PutObject", "arn:aws:s3:::mlstrata-prod-documents-123456789012/mlflow/1", {}),
    ("registry", "kms:Decrypt", KEY, {"kms:ResourceAliases": ["alias/mlstrata-prod-logs"]}),
    ("registry", "kms:Decrypt", KEY, {}),
    ("backup", "s3:GetObject", f"{STORE}/mlflow/1/model", {}),
    ("features", "s3:PutObject", f"{STORE}/features/a", {}),
    ("features", "s3:GetObject", f"{STORE}/mlflow/1/model", {}),
    ("features", "kms:GenerateDataKey", KEY, DATA_KEY),
    ("serving-mortgage-approval", "s3:PutObject", f"{STORE}/mlflow/1/model", {}),
    ("serving-mortgage-approval", "s3:GetObject", f"{STORE}/backups/database/1", {}),
    ("serving-ticket-routing", "s3:DeleteObject", f"{STORE}/mlflow/1/model", {}),
    (
        "secrets",
        "secretsmanager:GetSecretValue",
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:other/database-a",
        {},
    ),
    (
        "secrets",
        "secretsmanager:PutSecretValue",
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/database-a",
        {},
    ),
    ("karpenter", "ec2:TerminateInstances", INSTANCE, {}),
    (
        "karpenter",
        "ec2:TerminateInstances",
        INSTANCE,
        {**OURS, "aws:ResourceTag/kubernetes.io/cluster/mlstrata-prod": "shared"},
    ),
    ("karpenter", "ec2:RunInstances", INSTANCE, {}),
    ("karpenter", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin", {"iam:PassedToService": "ec2.amazonaws.com"}),
    (
        "karpenter",
        "iam:PassRole",
        f"arn:aws:iam::{ACCOUNT}:role/mlstrata-prod-nodes",
        {"iam:PassedToService": "lambda.amazonaws.com"},
    ),
    ("karpenter", "ec2:DescribeInstances", "*", {"aws:RequestedRegion": "us-east-1"}),
    ("karpenter", "s3:GetObject", f"{STORE}/mlflow/1/model", {}),
    (
        "flows",
        "logs:PutLogEvents",
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/eks/mlstrata-prod/cluster:log-stream:a",
        {},
    ),
]


@pytest.mark.parametrize(("role", "action", "resource", "context"), ALLOWED)
def test_what_a_workload_needs_it_may(role, action, resource, context):
    assert allows(rights()[role], action, resource, context)


@pytest.mark.parametrize(("role", "action", "resource", "context"), DENIED)
def test_what_it_does_not_need_it_may_not(role, action, resource, context):
    assert not allows(rights()[role], action, resource, context)


def test_every_role_is_in_the_matrix():
    assert {one[0] for one in ALLOWED} >= set(rights()) - {"serving-ticket-routing"}


@pytest.mark.parametrize("name", ["store", "documents", "logs-trail"])
def test_a_bucket_is_asked_by_tls_alone(name):
    policy = graph().one("BucketPolicy", f"{name}-policy").inputs["policy"]
    deny = next(one for one in json.loads(policy)["Statement"] if one["Effect"] == "Deny")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert deny["Action"] == "s3:*"
    assert len(deny["Resource"]) == 2
