"""What AWS's load balancer controller may do: make the balancer before the gateway, and keep what it made."""

from __future__ import annotations

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.documents import Statement, allow
from mlstrata.components.aws.workloads import Workload

CONTROLLER = "aws-load-balancer-controller"
_TAG = "elbv2.k8s.aws/cluster"
_LINKED = "elasticloadbalancing.amazonaws.com"
_LOOKS = (
    *("ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeAvailabilityZones"),
    *("ec2:DescribeInstances", "ec2:DescribeInternetGateways", "ec2:DescribeNetworkInterfaces"),
    *("ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags"),
    *("ec2:DescribeVpcPeeringConnections", "ec2:DescribeVpcs"),
    *("elasticloadbalancing:DescribeCapacityReservation", "elasticloadbalancing:DescribeListenerAttributes"),
    *("elasticloadbalancing:DescribeListenerCertificates", "elasticloadbalancing:DescribeListeners"),
    *("elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeLoadBalancers"),
    *("elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeSSLPolicies"),
    *("elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroupAttributes"),
    *("elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth"),
)


def controller(account: Account) -> Workload:
    """Return the controller with its rights, which are those of its documentation for network load balancers alone.

    Upstream's policy (version 3.5) serves application load balancers too, and lets a controller keep what others made;
    here each statement that changes something names this cluster's tag.
    """
    return Workload("balancer", "kube-system", CONTROLLER, (_linked(account), *_groups(account), *_balancers(account)))


def _linked(account: Account) -> Statement:
    role = account.arn("iam", f"role/aws-service-role/{_LINKED}/AWSServiceRoleForElasticLoadBalancing", everywhere=True)
    return allow(
        ["iam:CreateServiceLinkedRole"], [role], {"StringEquals": {"iam:AWSServiceName": _LINKED}}, "FirstBalancer"
    )


def _groups(account: Account) -> tuple[Statement, ...]:
    cluster = account.name()
    groups = [account.arn("ec2", "security-group/*")]
    made, own = {f"aws:RequestTag/{_TAG}": cluster}, {f"aws:ResourceTag/{_TAG}": cluster}
    rules = ("ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress")
    creates = {"StringEquals": {**made, "ec2:CreateAction": "CreateSecurityGroup"}}
    nodes = {"StringEquals": {f"aws:ResourceTag/kubernetes.io/cluster/{cluster}": "owned"}}
    return (
        allow(_LOOKS, ["*"], {"StringEquals": {"aws:RequestedRegion": account.region}}, "Looks"),
        allow(["ec2:CreateSecurityGroup"], groups, {"StringEquals": made}, "MakesGroups"),
        allow(
            ["ec2:CreateSecurityGroup", "ec2:GetSecurityGroupsForVpc"], [account.arn("ec2", "vpc/*")], sid="InANetwork"
        ),
        allow(["ec2:CreateTags"], groups, creates, "TagsItsGroups"),
        allow(
            (*rules, "ec2:CreateTags", "ec2:DeleteSecurityGroup", "ec2:DeleteTags"),
            groups,
            {"StringEquals": own},
            "KeepsItsGroups",
        ),
        allow(rules, groups, nodes, "LetsItsBalancersReachNodes"),
    )


def _balancers(account: Account) -> tuple[Statement, ...]:
    elb = "elasticloadbalancing"

    def arns(*kinds: str) -> list[str]:
        return [account.arn(elb, f"{kind}/*") for kind in kinds]

    def calls(*names: str) -> list[str]:
        return [f"{elb}:{name}" for name in names]

    cluster = account.name()
    made, own = {f"aws:RequestTag/{_TAG}": cluster}, {"StringEquals": {f"aws:ResourceTag/{_TAG}": cluster}}
    tags = {
        "StringEquals": {**made, f"{elb}:CreateAction": ["CreateListener", "CreateLoadBalancer", "CreateTargetGroup"]}
    }
    return (
        allow(
            calls("CreateLoadBalancer", "CreateTargetGroup"),
            arns("loadbalancer/net", "targetgroup"),
            {"StringEquals": made},
            "MakesBalancers",
        ),
        allow(calls("AddTags"), arns("listener/net", "loadbalancer/net", "targetgroup"), tags, "TagsWhatItMakes"),
        allow(
            calls(
                *("AddTags", "CreateListener", "DeleteListener", "DeleteLoadBalancer", "DeleteTargetGroup"),
                *("DeregisterTargets", "ModifyListener", "ModifyListenerAttributes", "ModifyLoadBalancerAttributes"),
                *("ModifyTargetGroup", "ModifyTargetGroupAttributes", "RegisterTargets", "RemoveTags"),
                *("SetIpAddressType", "SetSecurityGroups", "SetSubnets"),
            ),
            arns("listener/net", "loadbalancer/net", "targetgroup"),
            own,
            "KeepsWhatItMade",
        ),
    )
