"""An environment's place in an AWS account: its names, its tags and the ARNs that follow from both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from mlstrata.components.cluster import PREFIX, Ownership
from mlstrata.components.site import UNOWNED
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.target import AwsTarget

_DIGEST = 8
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9 +\-=._:/@]")
_LONGEST_TAG = 256
PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov", "eusc": "aws-eusc"}
"""Beginning of a region's name to the partition that it is in, where that is not the common one."""


@dataclass(frozen=True)
class Account:
    """Where an environment lives in AWS.

    Every name is made from the environment's, so each ARN is known before anything is there: policies that name what
    they allow are whole in a plan.

    Attributes:
        environment: Its name.
        region: The region.
        number: The account.
        ownership: Who answers for it, and who pays.
        production: People depend on it.
        labels: Labels of the file's own.
    """

    environment: str
    region: str
    number: str
    ownership: Ownership
    production: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: EnvironmentSpec, target: AwsTarget) -> Account:
        """Return an environment's place."""
        return cls(
            environment=spec.name,
            region=target.region,
            number=target.account,
            ownership=Ownership(spec.owner or UNOWNED, spec.cost_centre or "platform"),
            production=spec.production is not False,
            labels=spec.labels,
        )

    @property
    def partition(self) -> str:
        """Return the partition of AWS that the region is in."""
        return next((one for begins, one in PARTITIONS.items() if self.region.startswith(begins)), "aws")

    def name(self, what: str = "", longest: int = 63) -> str:
        """Return the name of something of the environment's; cut, with a digest of the whole, where it is too long."""
        whole = f"mlstrata-{self.environment}{'-' if what else ''}{what}"
        if len(whole) <= longest:
            return whole
        return f"{whole[: longest - _DIGEST - 1].rstrip('-')}-{sha256(whole.encode()).hexdigest()[:_DIGEST]}"

    def arn(self, service: str, resource: str, *, everywhere: bool = False) -> str:
        """Return the ARN of a resource; `everywhere`: its service knows no regions."""
        region = "" if everywhere else self.region
        return f"arn:{self.partition}:{service}:{region}:{self.number}:{resource}"

    def bucket(self, what: str = "") -> str:
        """Return a bucket's name, which nobody else in the world may have: the account is a part of it."""
        return self.name(f"{what}{'-' if what else ''}{self.number}")

    def bucket_arn(self, name: str, key: str = "") -> str:
        """Return the ARN of a bucket, or of objects in it."""
        return f"arn:{self.partition}:s3:::{name}{'/' if key else ''}{key}"

    def role(self, what: str) -> str:
        """Return a role's name."""
        return self.name(what, longest=64)

    def role_arn(self, what: str) -> str:
        """Return a role's ARN."""
        return self.arn("iam", f"role/{self.role(what)}", everywhere=True)

    def tags(
        self, what: str, more: Mapping[str, str] | None = None, ownership: Ownership | None = None
    ) -> dict[str, str]:
        """Return the tags of a resource.

        Args:
            what: What it is, as consoles show it.
            more: Its part, tier or data-classification, where it has one.
            ownership: Whose it is; None: the platform's.
        """
        whose = ownership or self.ownership
        said = {
            "Name": self.name(what, longest=_LONGEST_TAG),
            f"{PREFIX}/environment": self.environment,
            f"{PREFIX}/owner": whose.owner,
            f"{PREFIX}/cost-centre": whose.cost_centre,
            f"{PREFIX}/system": whose.system or "platform",
            **{f"{PREFIX}/{name}": value for name, value in (more or {}).items()},
        }
        found = {**self.labels, **said}
        return {name: _NOT_IN_TAGS.sub("-", value)[:_LONGEST_TAG] for name, value in found.items() if value}
