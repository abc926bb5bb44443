"""What every component of the substrate shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.base import Component


class AwsComponent(Component):
    """A component in an AWS account, whose children are named after it and tagged."""

    def __init__(self, name: str, account: Account, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aws", name, None, opts)
        self.name, self.account = name, account

    def of(self, role: str = "") -> str:
        """Return the logical name of a child."""
        return f"{self.name}-{role}" if role else self.name

    def kept(self, *, after: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        """Return the options of a child that holds data.

        Nothing deletes it unless somebody lifts the protection by hand, and even then it stays in the account when the
        stack forgets it.
        """
        own = pulumi.ResourceOptions(protect=True, retain_on_delete=True)
        return pulumi.ResourceOptions.merge(self.child(after=after), own)

    def door(
        self,
        child: str,
        role: str,
        what: str,
        *,
        network: Any,
        protocol: str,
        port: int,
        callers: Any = None,
        addresses: str | None = None,
    ) -> Any:
        """Make a security group that lets one port in and nothing out; return its id.

        Args:
            child: Logical name of the group and its rule.
            role: What both are called and tagged as in the account.
            what: What is behind it, and whom it is for.
            network: Id of the network that it is in.
            protocol: What is spoken at the port, as people call it.
            port: The TCP port.
            callers: Id of the group that may call; None: by addresses.
            addresses: Addresses that may call; None: by group.
        """
        group = aws.ec2.SecurityGroup(
            child,
            name=self.account.name(role),
            description=what,
            vpc_id=network,
            tags=self.account.tags(role),
            opts=self.child(),
        )
        aws.vpc.SecurityGroupIngressRule(
            child,
            security_group_id=group.id,
            description=f"{protocol} from the {'network' if addresses else 'cluster'}",
            referenced_security_group_id=callers,
            cidr_ipv4=addresses,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            tags=self.account.tags(f"{role}-{protocol.lower()}"),
            opts=self.child(),
        )
        return group.id
