"""What every component of the substrate shares."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

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
