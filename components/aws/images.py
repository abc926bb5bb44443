"""Registries for the images that the organisation builds: scanned as they come, never changed under their name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.base import AwsComponent

SERVICES = "services"
_UNTAGGED_DAYS = 30


@dataclass(frozen=True)
class ImagesArgs:
    """Arguments of `Images`.

    Attributes:
        account: Where.
        systems: AI systems, each of which may have an image of its own.
        key: The key of data, by its ARN.
    """

    account: Account
    systems: Sequence[str]
    key: Any


class Images(AwsComponent):
    """A repository for the services, and one for each system."""

    def __init__(self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.account, opts)
        account = args.account
        untagged = {
            "rules": [
                {
                    "rulePriority": 1,
                    "description": f"Images without a name go after {_UNTAGGED_DAYS} days",
                    "selection": {
                        "tagStatus": "untagged",
                        "countType": "sinceImagePushed",
                        "countUnit": "days",
                        "countNumber": _UNTAGGED_DAYS,
                    },
                    "action": {"type": "expire"},
                }
            ]
        }
        for what in (SERVICES, *args.systems):
            repository = aws.ecr.Repository(
                self.of(what),
                name=f"{account.name()}/{what}",
                image_tag_mutability="IMMUTABLE",
                image_scanning_configuration={"scan_on_push": True},
                encryption_configurations=[{"encryption_type": "KMS", "kms_key": args.key}],
                tags=account.tags(f"images-{what}"),
                opts=self.kept(),
            )
            aws.ecr.LifecyclePolicy(
                self.of(what),
                repository=repository.name,
                policy=json.dumps(untagged, sort_keys=True),
                opts=self.child(),
            )
        self.register_outputs({})
