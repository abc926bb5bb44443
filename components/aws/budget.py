"""Word to the owner before more is spent in a month than was meant to be."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.base import AwsComponent
from mlstrata.components.cluster import PREFIX

_SPENT_PERCENT = 80


@dataclass(frozen=True)
class BudgetArgs:
    """Arguments of `Budget`.

    Attributes:
        account: Where.
        dollars: A month.
        told: Who is told, by e-mail.
    """

    account: Account
    dollars: int
    told: str


class Budget(AwsComponent):
    """What the environment may cost in a month, of what carries its tag."""

    def __init__(self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.account, opts)
        account = args.account
        told = {"comparison_operator": "GREATER_THAN", "threshold_type": "PERCENTAGE"}
        mails = {"subscriber_email_addresses": [args.told]}
        aws.budgets.Budget(
            name,
            name=account.name(),
            account_id=account.number,
            budget_type="COST",
            limit_amount=str(args.dollars),
            limit_unit="USD",
            time_unit="MONTHLY",
            cost_filters=[{"name": "TagKeyValue", "values": [f"user:{PREFIX}/environment${account.environment}"]}],
            notifications=[
                {**told, **mails, "notification_type": "ACTUAL", "threshold": _SPENT_PERCENT},
                {**told, **mails, "notification_type": "FORECASTED", "threshold": 100},
            ],
            tags=account.tags("budget"),
            opts=self.child(),
        )
        self.register_outputs({})
