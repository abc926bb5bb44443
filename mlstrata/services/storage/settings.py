"""A store of artifacts, as the registry and a migration are told of it. Imported by the Pulumi program too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mlstrata.closed import Closed

PREFIX = "artifacts"
"""Objects of the registry start with it, so that a bucket may hold other things beside."""
REGION = "us-east-1"
"""What a client signs with where the service has no regions of its own."""


class FolderStore(Closed):
    """A folder of this machine."""

    kind: Literal["folder"] = "folder"
    path: Path = Field(description="The folder.")

    @property
    def uri(self) -> str:
        """Return what MLflow takes as its destination of artifacts."""
        return str(self.path)

    def variables(self) -> dict[str, str]:
        """Return the variables that MLflow needs to get at it."""
        return {}


class BucketStore(Closed):
    """A bucket with the S3 interface."""

    kind: Literal["s3"] = "s3"
    bucket: str = Field(description="The bucket.")
    prefix: str = Field(default=PREFIX, description="Start of every key, without a slash at its end.")
    endpoint: str = Field(description="Address of the S3 service.")
    credentials: Path = Field(description="File of access keys in AWS's format, its profile `default`; mode 0600.")
    own: bool = Field(default=True, description="Whether the bucket is the environment's own, to be made and emptied.")
    versioning: bool = Field(default=True, description="Whether overwritten objects are kept.")

    @property
    def uri(self) -> str:
        """Return what MLflow takes as its destination of artifacts."""
        return f"s3://{self.bucket}/{self.prefix}"

    def variables(self) -> dict[str, str]:
        """Return the variables that MLflow needs to get at it; the keys themselves stay in their file."""
        return {
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials),
            "AWS_DEFAULT_REGION": REGION,
            # Keys of the machine's user, or of the cloud machine it runs on, are not this environment's.
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "MLSTRATA_STORE_OWN": str(self.own).lower(),
            "MLSTRATA_STORE_VERSIONING": str(self.versioning).lower(),
        }


Store = Annotated[FolderStore | BucketStore, Field(discriminator="kind")]


class CopySettings(Closed):
    """What a copy of all artifacts needs to know."""

    source: Store = Field(description="Where they are.")
    target: Store = Field(description="Where they shall be.")
