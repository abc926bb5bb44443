"""Logs of the account: of the cluster's own parts, of the network and of who called which API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.base import AwsComponent
from mlstrata.components.aws.buckets import BucketArgs, ClosedBucket
from mlstrata.components.aws.database import EXPORTED
from mlstrata.components.aws.documents import Statement, allow, document, trust

_PERIODS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""Days that CloudWatch can keep logs for."""
FLOWS = "flows"


def period(kept: timedelta) -> int:
    """Return the days that CloudWatch keeps logs for, so that none goes before its time."""
    days = ceil(kept / timedelta(days=1))
    return next((one for one in _PERIODS if one >= days), _PERIODS[-1])


def group_arn(account: Account, name: str) -> str:
    """Return the ARN of a group of logs and of all in it."""
    return account.arn("logs", f"log-group:{name}:*")


@dataclass(frozen=True)
class LogsArgs:
    """Arguments of `Logs`.

    Attributes:
        account: Where.
        cluster: Name of the cluster.
        network: Id of the network.
        key: The key of logs, by its ARN.
        kept: How long logs are kept.
        buckets: Names of the buckets whose objects' readers and writers are recorded too.
    """

    account: Account
    cluster: str
    network: Any
    key: Any
    kept: timedelta
    buckets: Sequence[str]


class Logs(AwsComponent):
    """The cluster's log, the network's flows and the trail of the account.

    Attributes:
        ready: What cluster and database wait for: without it AWS makes logs of the same names that are kept for good.
    """

    def __init__(self, name: str, args: LogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.account, opts)
        self.args = args
        database = f"/aws/rds/instance/{args.account.name()}"
        self.ready = [
            self._group("cluster", f"/aws/eks/{args.cluster}/cluster"),
            *(self._group(f"database-{one}", f"{database}/{one}") for one in EXPORTED),
        ]
        self._flows()
        self._trail()
        self.register_outputs({})

    def _group(self, what: str, name: str) -> Any:
        return aws.cloudwatch.LogGroup(
            self.of(what),
            name=name,
            kms_key_id=self.args.key,
            retention_in_days=period(self.args.kept),
            tags=self.account.tags(f"log-{what}"),
            opts=self.kept(),
        )

    def _flows(self) -> None:
        account, path = self.account, f"/mlstrata/{self.account.environment}/{FLOWS}"
        group = self._group(FLOWS, path)
        role = aws.iam.Role(
            self.of(FLOWS),
            name=account.role(FLOWS),
            assume_role_policy=trust("vpc-flow-logs.amazonaws.com", account.number),
            tags=account.tags(FLOWS),
            opts=self.child(),
        )
        write = ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
        aws.iam.RolePolicy(
            self.of(FLOWS),
            name="write",
            role=role.name,
            policy=document(allow(write, [group_arn(account, path)])),
            opts=self.child(),
        )
        aws.ec2.FlowLog(
            self.of(FLOWS),
            vpc_id=self.args.network,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=60,
            tags=account.tags(FLOWS),
            opts=self.child(),
        )

    def _trail(self) -> None:
        account, args = self.account, self.args
        bucket = ClosedBucket(
            self.of("trail"),
            BucketArgs(
                account,
                "trail",
                args.key,
                classification="internal",
                expires=args.kept,
                versions=timedelta(days=30),
                statements=self._writers(),
            ),
            self.child(),
        )
        objects = [f"{account.bucket_arn(one)}/" for one in args.buckets]
        aws.cloudtrail.Trail(
            self.of("trail"),
            name=account.name(),
            s3_bucket_name=bucket.name,
            kms_key_id=args.key,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            event_selectors=[
                {
                    "include_management_events": True,
                    "read_write_type": "All",
                    "data_resources": [{"type": "AWS::S3::Object", "values": objects}],
                }
            ],
            tags=account.tags("trail"),
            opts=self.child(after=[bucket]),
        )

    def _writers(self) -> Sequence[Statement]:
        """Let the trail, and no other account's, write into its bucket."""
        account = self.account
        name = account.bucket("trail")
        of = {"aws:SourceArn": account.arn("cloudtrail", f"trail/{account.name()}")}
        principal = {"Principal": {"Service": "cloudtrail.amazonaws.com"}}
        own = {"StringEquals": {**of, "s3:x-amz-acl": "bucket-owner-full-control"}}
        at = account.bucket_arn(name, f"AWSLogs/{account.number}/*")
        return (
            {**allow(["s3:GetBucketAcl"], [account.bucket_arn(name)], {"StringEquals": of}, "TrailAsks"), **principal},
            {**allow(["s3:PutObject"], [at], own, "TrailWrites"), **principal},
        )


def pattern(source: str, kind: str) -> str:
    """Return which events a rule takes."""
    return json.dumps({"source": [source], "detail-type": [kind]}, sort_keys=True)
