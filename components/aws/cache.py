"""Values of features in memory, for requests that cannot wait for Postgres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.base import AwsComponent
from mlstrata.environments.spec.aws import OnlineStoreSpec

PORT = 6379
_COPIES = 2
_LONGEST = 40
"""Of a group's name, as AWS takes it."""


@dataclass(frozen=True)
class OnlineStoreArgs:
    """Arguments of `OnlineStore`.

    Attributes:
        account: Where.
        wanted: What the file asks for.
        network: Id of its network.
        subnets: Ids of its subnets.
        callers: Id of the group that reaches it.
        key: The key of data, by its ARN.
    """

    account: Account
    wanted: OnlineStoreSpec
    network: Any
    subnets: Any
    callers: Any
    key: Any


class OnlineStore(AwsComponent):
    """A Valkey with a copy in another zone: by TLS alone, from the cluster alone.

    It is kept as every store is: its values can be computed again, but not in the time that requests have.

    Attributes:
        host: Its host.
    """

    def __init__(self, name: str, args: OnlineStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.account, opts)
        account = args.account
        tags = account.tags("online", {"data-classification": "confidential"})
        subnets = aws.elasticache.SubnetGroup(
            name, name=account.name("online"), subnet_ids=args.subnets, tags=account.tags("online"), opts=self.child()
        )
        what = "Valkey, for the cluster's nodes and pods"
        group = self.door(
            name, "online", what, network=args.network, protocol="Valkey", port=PORT, callers=args.callers
        )
        made = aws.elasticache.ReplicationGroup(
            name,
            replication_group_id=account.name("online", _LONGEST),
            description="Values of features",
            engine="valkey",
            engine_version="8.0",
            node_type=args.wanted.machine,
            num_cache_clusters=_COPIES,
            automatic_failover_enabled=True,
            multi_az_enabled=True,
            at_rest_encryption_enabled=True,
            kms_key_id=args.key,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            port=PORT,
            subnet_group_name=subnets.name,
            security_group_ids=[group],
            auto_minor_version_upgrade=True,
            tags=tags,
            opts=self.kept(),
        )
        self.host = made.primary_endpoint_address
        self.register_outputs({})
