"""Postgres as AWS runs it: private, encrypted, copied, and with a password that nobody ever sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.base import AwsComponent
from mlstrata.environments.spec.aws import AwsDatabaseSpec

PORT = 5432
OWNER = "mlflow"
"""The database that is made with it, and its first user."""
EXPORTED = ("postgresql", "upgrade")
"""Its logs that AWS hands on."""
_GROWS = 5
_ALARMED_DAYS = 7


@dataclass(frozen=True)
class DatabaseArgs:
    """Arguments of `Database`.

    Attributes:
        account: Where.
        wanted: What the file asks for.
        network: Id of its network.
        subnets: Ids of its subnets.
        callers: Id of the group that reaches it.
        key: The key of data, by its ARN.
        after: What must be there before it: its logs.
    """

    account: Account
    wanted: AwsDatabaseSpec
    network: Any
    subnets: Any
    callers: Any
    key: Any
    after: Sequence[pulumi.Resource] = ()


class Database(AwsComponent):
    """An instance, with a second in another zone where people depend on it.

    Attributes:
        host: Its host.
    """

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.account, opts)
        account, wanted = args.account, args.wanted
        subnets = aws.rds.SubnetGroup(
            name, name=account.name(), subnet_ids=args.subnets, tags=account.tags("database"), opts=self.child()
        )
        settings = aws.rds.ParameterGroup(
            name,
            name=account.name(f"postgres{wanted.version}"),
            family=f"postgres{wanted.version}",
            description="TLS only, and who logged in",
            parameters=[
                {"name": "rds.force_ssl", "value": "1"},
                {"name": "log_connections", "value": "1"},
                {"name": "log_disconnections", "value": "1"},
            ],
            tags=account.tags("database"),
            opts=self.child(),
        )
        what = "Postgres, for the cluster's nodes and pods"
        group = self.door(
            name, "database", what, network=args.network, protocol="Postgres", port=PORT, callers=args.callers
        )
        instance = aws.rds.Instance(
            name,
            identifier=account.name(),
            engine="postgres",
            engine_version=str(wanted.version),
            instance_class=wanted.machine,
            allocated_storage=wanted.gigabytes,
            max_allocated_storage=wanted.gigabytes * _GROWS,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=args.key,
            db_name=OWNER,
            username=OWNER,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=args.key,
            iam_database_authentication_enabled=True,
            db_subnet_group_name=subnets.name,
            parameter_group_name=settings.name,
            vpc_security_group_ids=[group],
            publicly_accessible=False,
            multi_az=account.production,
            backup_retention_period=wanted.backup_days,
            copy_tags_to_snapshot=True,
            delete_automated_backups=False,
            deletion_protection=True,
            skip_final_snapshot=False,
            final_snapshot_identifier=account.name("last"),
            auto_minor_version_upgrade=True,
            enabled_cloudwatch_logs_exports=list(EXPORTED),
            performance_insights_enabled=True,
            performance_insights_kms_key_id=args.key,
            performance_insights_retention_period=_ALARMED_DAYS,
            tags=account.tags("database", {"data-classification": "confidential"}),
            opts=self.kept(after=args.after),
        )
        self.host = instance.address
        self.register_outputs({})
