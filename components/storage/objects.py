"""A bucket as what reads and writes it sees it: address, variables, and a secret by its name or an identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlstrata.components.network_policies import ANYWHERE, Peer
from mlstrata.environments.spec.storage import S3Storage

if TYPE_CHECKING:
    from mlstrata.components.cluster import ClusterComponent

HTTPS = 443
IDENTITY = "mlstrata.io/aws-identity"
"""On an account that has a role in AWS."""


@dataclass(frozen=True)
class ObjectStore:
    """A bucket.

    Attributes:
        bucket: Its name.
        endpoint: Address of its service; empty: AWS.
        region: Its region; empty: none is said.
        secret: Name of the secret with its keys; one in each namespace that uses it.
        role: The AWS role that gets at it in place of keys; empty: keys do.
        peers: Where its service is, as network policies know it.
    """

    bucket: str
    endpoint: str = ""
    region: str = ""
    secret: str = "object-store"  # noqa: S105 - a secret's name
    role: str = ""
    peers: Sequence[Peer] = (ANYWHERE,)

    @classmethod
    def of(cls, storage: S3Storage, environment: str, region: str | None) -> ObjectStore:
        """Return the store that an environment's file names; with no bucket named, one called after it."""
        bucket = storage.bucket or f"mlstrata-{environment}"
        return cls(bucket, (storage.endpoint or "").rstrip("/"), region or "")

    keys = ("access_key_id", "secret_access_key")

    @property
    def port(self) -> int:
        """Return the port that its service answers on."""
        parts = urlsplit(self.endpoint)
        return parts.port or (80 if parts.scheme == "http" else HTTPS)

    def url(self, folder: str) -> str:
        """Return the address of a folder in it."""
        return f"s3://{self.bucket}/{folder}"

    def variables(self) -> dict[str, str]:
        """Return the variables by which clients find it; none is secret."""
        found = {"AWS_DEFAULT_REGION": self.region} if self.region else {}
        if self.endpoint:
            found |= {"AWS_ENDPOINT_URL_S3": self.endpoint, "MLFLOW_S3_ENDPOINT_URL": self.endpoint}
        return found

    def credentials(self) -> dict[str, tuple[str, str]]:
        """Return the variables of its keys, variable to the secret's name and the key in it; none with a role."""
        if self.role:
            return {}
        return {
            "AWS_ACCESS_KEY_ID": (self.secret, self.keys[0]),
            "AWS_SECRET_ACCESS_KEY": (self.secret, self.keys[1]),
        }

    def identity(self) -> Mapping[str, str]:
        """Return the annotations of the accounts that get at it by who they are: the substrate gives each its role.

        It does so by EKS Pod Identity, which reads no annotation; this one tells people, and tests.
        """
        return {IDENTITY: "pod-identity"} if self.role else {}

    def read_by(self, component: ClusterComponent, namespace: str, why: str) -> None:
        """Record that a component's pods need its keys in their namespace; with a role they need none."""
        if not self.role:
            component.needs(namespace, self.secret, self.keys, why)
