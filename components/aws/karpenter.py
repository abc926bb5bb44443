"""What Karpenter needs of the account: rights on the nodes that it made, and word of those about to be taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.base import AwsComponent
from mlstrata.components.aws.documents import Statement, allow, document
from mlstrata.components.aws.logs import pattern
from mlstrata.components.aws.nodes import NODES
from mlstrata.components.aws.workloads import Workload, identify

QUEUE = "interruptions"
KARPENTER = "karpenter"
EVENTS = {
    "health": ("aws.health", "AWS Health Event"),
    "spot": ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
    "rebalance": ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
    "state": ("aws.ec2", "EC2 Instance State-change Notification"),
    "reservation": ("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
}
"""What tells of nodes that go, as Karpenter reads it."""
_READS = (
    *("ec2:DescribeCapacityReservations", "ec2:DescribeImages", "ec2:DescribeInstances"),
    *("ec2:DescribeInstanceStatus", "ec2:DescribeInstanceTypeOfferings", "ec2:DescribeInstanceTypes"),
    *("ec2:DescribeLaunchTemplates", "ec2:DescribeSecurityGroups", "ec2:DescribeSpotPriceHistory"),
    "ec2:DescribeSubnets",
)
_MADE = ("fleet", "instance", "launch-template", "network-interface", "spot-instances-request", "volume")
_CREATES = ("ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:RunInstances")


def rights(account: Account) -> tuple[Statement, ...]:
    """Return what Karpenter may do: to nodes with its own tag for this cluster, and to no others.

    These are the statements of Karpenter's own documentation (reference/cloudformation, version 1.14).
    """
    cluster, of_ours = account.name(), f"kubernetes.io/cluster/{account.name()}"

    def ec2(*kinds: str) -> list[str]:
        return [f"arn:{account.partition}:ec2:{account.region}:*:{kind}/*" for kind in kinds]

    tagged = {f"aws:ResourceTag/{of_ours}": "owned"}
    asked = {f"aws:RequestTag/{of_ours}": "owned", "aws:RequestTag/eks:eks-cluster-name": cluster}
    by_pool = {"aws:ResourceTag/karpenter.sh/nodepool": "*"}
    for_pool = {"aws:RequestTag/karpenter.sh/nodepool": "*"}
    region = {"StringEquals": {"aws:RequestedRegion": account.region}}
    given = ("capacity-reservation", "image", "security-group", "snapshot", "subnet")
    creates = {"StringEquals": {**asked, "ec2:CreateAction": ["CreateFleet", "CreateLaunchTemplate", "RunInstances"]}}
    later = {"ForAllValues:StringEquals": {"aws:TagKeys": ["Name", "eks:eks-cluster-name", "karpenter.sh/nodeclaim"]}}
    return (
        allow(("ec2:CreateFleet", "ec2:RunInstances"), ec2(*given), sid="FromWhatIsGiven"),
        allow(
            ("ec2:CreateFleet", "ec2:RunInstances"),
            ec2("launch-template"),
            {"StringEquals": tagged, "StringLike": by_pool},
            "FromItsTemplates",
        ),
        allow(_CREATES, ec2(*_MADE), {"StringEquals": asked, "StringLike": for_pool}, "MakesNodes"),
        allow(("ec2:CreateTags",), ec2(*_MADE), {**creates, "StringLike": for_pool}, "TagsWhatItMakes"),
        allow(
            ("ec2:CreateTags",),
            ec2("instance"),
            {"StringEquals": tagged, "StringLike": by_pool, **later},
            "TagsItsNodes",
        ),
        allow(
            ("ec2:DeleteLaunchTemplate", "ec2:TerminateInstances"),
            ec2("instance", "launch-template"),
            {"StringEquals": tagged, "StringLike": by_pool},
            "EndsItsNodes",
        ),
        allow(_READS, ["*"], region, "Looks"),
        allow(
            ("ssm:GetParameter",),
            [f"arn:{account.partition}:ssm:{account.region}::parameter/aws/service/*"],
            sid="FindsImages",
        ),
        allow(("pricing:GetProducts",), ["*"], sid="KnowsPrices"),
        allow(
            ("sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"),
            [account.arn("sqs", account.name(QUEUE))],
            sid="HearsOfInterruptions",
        ),
        allow(
            ("iam:PassRole",),
            [account.role_arn(NODES)],
            {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
            "GivesNodesTheirRole",
        ),
        *_profiles(account, tagged, asked),
        allow(("eks:DescribeCluster",), [account.arn("eks", f"cluster/{cluster}")], sid="FindsTheCluster"),
    )


def _profiles(account: Account, tagged: dict[str, str], asked: dict[str, str]) -> tuple[Statement, ...]:
    """Return its rights on instance profiles, which it makes of the nodes' role for each node class."""
    own = [account.arn("iam", "instance-profile/*", everywhere=True)]
    where = {"aws:RequestTag/topology.kubernetes.io/region": account.region}
    stands = {"aws:ResourceTag/topology.kubernetes.io/region": account.region}
    of_class = {"aws:RequestTag/karpenter.k8s.aws/ec2nodeclass": "*"}
    by_class = {"aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass": "*"}
    return (
        allow(
            ("iam:CreateInstanceProfile",),
            own,
            {"StringEquals": {**asked, **where}, "StringLike": of_class},
            "MakesProfiles",
        ),
        allow(
            ("iam:TagInstanceProfile",),
            own,
            {"StringEquals": {**tagged, **stands, **asked, **where}, "StringLike": {**by_class, **of_class}},
            "TagsProfiles",
        ),
        allow(
            ("iam:AddRoleToInstanceProfile", "iam:DeleteInstanceProfile", "iam:RemoveRoleFromInstanceProfile"),
            own,
            {"StringEquals": {**tagged, **stands}, "StringLike": by_class},
            "KeepsProfiles",
        ),
        allow(("iam:GetInstanceProfile",), own, sid="ReadsProfiles"),
        allow(("iam:ListInstanceProfiles",), ["*"], sid="ListsProfiles"),
    )


@dataclass(frozen=True)
class KarpenterArgs:
    """Arguments of `Karpenter`.

    Attributes:
        account: Where.
        cluster: The cluster.
    """

    account: Account
    cluster: Any


class Karpenter(AwsComponent):
    """Its role, and the queue that it hears of nodes by.

    Attributes:
        queue: Name of the queue.
    """

    def __init__(self, name: str, args: KarpenterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.account, opts)
        account = args.account
        identify(self, args.cluster, Workload(KARPENTER, KARPENTER, KARPENTER, rights(account)))
        queue = aws.sqs.Queue(
            self.of(QUEUE),
            name=account.name(QUEUE),
            message_retention_seconds=300,
            sqs_managed_sse_enabled=True,
            tags=account.tags(QUEUE),
            opts=self.child(),
        )
        self.queue = account.name(QUEUE)
        arn = account.arn("sqs", self.queue)
        rules = {"ArnLike": {"aws:SourceArn": account.arn("events", f"rule/{account.name()}-*")}}
        tells = {**allow(("sqs:SendMessage",), [arn], rules), "Principal": {"Service": "events.amazonaws.com"}}
        plain = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        aws.sqs.QueuePolicy(self.of(QUEUE), queue_url=queue.url, policy=document(tells, plain), opts=self.child())
        for what, (source, kind) in EVENTS.items():
            rule = aws.cloudwatch.EventRule(
                self.of(what),
                name=account.name(what),
                description=kind,
                event_pattern=pattern(source, kind),
                tags=account.tags(what),
                opts=self.child(),
            )
            aws.cloudwatch.EventTarget(
                self.of(what), rule=rule.name, target_id=KARPENTER, arn=queue.arn, opts=self.child()
            )
        self.register_outputs({})
