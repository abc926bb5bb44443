"""The keys of the account's own that everything at rest is encrypted with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.base import AwsComponent
from mlstrata.components.aws.documents import Statement, allow, document

DATA, CLUSTER, LOGS = "data", "cluster", "logs"
_WINDOW_DAYS = 30
_CRYPTO = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")


def alias(account: Account, what: str) -> str:
    """Return the name of a key."""
    return f"alias/{account.name(what)}"


def use(account: Account, what: str, *, write: bool = True) -> Statement:
    """Return the statement that lets a role use a key, which it names by its alias: its number is known later."""
    actions = ["kms:Decrypt", "kms:DescribeKey", *(["kms:GenerateDataKey"] if write else [])]
    named = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias(account, what)}}
    return allow(actions, [account.arn("kms", "key/*")], named)


class Keys(AwsComponent):
    """One for data, one for the cluster's secrets, one for logs: whoever may read one may not read the others.

    Attributes:
        by_use: The key by its use.
    """

    def __init__(self, name: str, account: Account, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, account, opts)
        services: Mapping[str, tuple[Statement, ...]] = {
            DATA: (),
            CLUSTER: (),
            LOGS: (self._logs(), self._trail()),
        }
        self.by_use: dict[str, Any] = {what: self._key(what, more) for what, more in services.items()}
        self.register_outputs({})

    def _key(self, what: str, more: tuple[Statement, ...]) -> Any:
        account = self.account
        # With the account itself named, IAM's policies decide who uses it, and no key is ever out of reach.
        root = allow(["kms:*"], ["*"], sid="Account")
        root["Principal"] = {"AWS": account.arn("iam", "root", everywhere=True)}
        key = aws.kms.Key(
            self.of(what),
            description=f"{what} of the environment {account.environment}",
            deletion_window_in_days=_WINDOW_DAYS,
            enable_key_rotation=True,
            policy=document(root, *more),
            tags=account.tags(what),
            opts=self.kept(),
        )
        aws.kms.Alias(self.of(f"{what}-alias"), name=alias(account, what), target_key_id=key.key_id, opts=self.child())
        return key

    def _logs(self) -> Statement:
        account = self.account
        of = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": account.arn("logs", "log-group:*")}}
        return self._service(f"logs.{account.region}.amazonaws.com", _CRYPTO, of)

    def _trail(self) -> Statement:
        trail = {"StringEquals": {"aws:SourceArn": self.account.arn("cloudtrail", f"trail/{self.account.name()}")}}
        return self._service("cloudtrail.amazonaws.com", ("kms:DescribeKey", "kms:GenerateDataKey*"), trail)

    def _service(self, service: str, actions: tuple[str, ...], bounds: Mapping[str, Mapping[str, str]]) -> Statement:
        return {**allow(actions, ["*"], bounds), "Principal": {"Service": service}}
