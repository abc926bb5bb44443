"""Where artifacts, data sets and recorded predictions lie."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mlstrata.environments.spec.base import Spec, immutable
from mlstrata.environments.spec.text import Bucket, Document, Endpoint, Flag, Text

_COPY = "move everything there with `mlstrata migrate` (target local), else restore a backup in a new environment"


class FolderStorage(Spec):
    """A folder of this machine."""

    kind: Literal["folder"] = Field(
        description="folder: on this machine; s3: an S3 bucket.", json_schema_extra=immutable(_COPY)
    )
    path: Document | None = Field(
        default=None,
        description="Folder inside the workspace; none: the environment's own data folder.",
        json_schema_extra=immutable(_COPY),
    )


class S3Storage(Spec):
    """A bucket with the S3 interface, of AWS or another provider."""

    kind: Literal["s3"] = Field(
        description="folder: on this machine; s3: an S3 bucket.", json_schema_extra=immutable(_COPY)
    )
    bucket: Bucket | None = Field(
        default=None,
        description="An existing bucket; none: one is made, named after the environment and the account.",
        json_schema_extra=immutable(_COPY),
    )
    endpoint: Endpoint | None = Field(
        default=None,
        description="Address of an S3 service, AWS's own included; none: target aws uses AWS, a cluster gets a "
        "service of its own.",
    )
    credentials: Document | None = Field(
        default=None,
        description="File with the access keys of another endpoint, as AWS's tools keep them (profile default); "
        "a file, since keys in this one would be in every copy. None: they are generated, or the cloud gives them.",
    )
    encryption_key: Text | None = Field(
        default=None,
        description="Name of your own key that encrypts it at rest, never the key itself: a KMS key's ARN, a path in a "
        "vault, of a cluster's own service the key of its storage class. Declared by you, as no plan sees it; "
        "none: personal data may not lie there.",
    )
    versioning: Flag = Field(
        default=True, description="Keep overwritten objects; on, since an overwritten model cannot be made again."
    )


Storage = Annotated[FolderStorage | S3Storage, Field(discriminator="kind")]


def default_storage(target_kind: object) -> dict[str, str]:
    """Return the storage of a target when the file names none: one machine has a folder, several need a bucket."""
    # A tuple, not a set: a file may hold anything here, and not everything can be hashed.
    return {"kind": "s3" if target_kind in ("kubernetes", "aws") else "folder"}
