"""Buckets: encrypted, versioned, closed to the public and to plain HTTP, and emptied when their time is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from typing import Any

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.base import AwsComponent
from mlstrata.components.aws.documents import Statement, document

_DAY = timedelta(days=1)
_ENABLED = "Enabled"
_UPLOAD_DAYS = 7
"""After which the parts of an upload that never ended go."""


def days(kept: timedelta) -> int:
    """Return whole days, so that nothing goes before its time."""
    return ceil(kept / _DAY)


@dataclass(frozen=True)
class BucketArgs:
    """Arguments of `ClosedBucket`.

    Attributes:
        account: Where.
        what: What it holds; empty: the environment's store.
        key: The key that it is encrypted with, by its ARN.
        classification: Of what is in it: public, internal, confidential, personal.
        part: What it is to policies, such as documents; empty: nothing of its own.
        name: Its name; empty: made from what it holds.
        versions: How long overwritten and deleted objects are kept; None: none is kept.
        expires: After which all of it goes; None: it stays.
        folders: After which what lies in a folder goes.
        locked: For how long nobody deletes anything in it, the account's owner included; None: as rights allow.
        statements: Of its policy, besides those that close it.
    """

    account: Account
    what: str
    key: Any
    classification: str
    part: str = ""
    name: str = ""
    versions: timedelta | None = timedelta(days=90)
    expires: timedelta | None = None
    folders: Mapping[str, timedelta] = field(default_factory=dict)
    locked: timedelta | None = None
    statements: Sequence[Statement] = ()


class ClosedBucket(AwsComponent):
    """A bucket with all that closes it; it stays when its stack goes.

    Attributes:
        name: Its name.
        arn: Its ARN, known before it is there.
    """

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.account, opts)
        self.args, self._name = args, name
        self.named = args.name or args.account.bucket(args.what)
        self.arn = args.account.bucket_arn(self.named)
        more = {"data-classification": args.classification, **({"part": args.part} if args.part else {})}
        self.bucket = aws.s3.Bucket(
            name,
            bucket=self.named,
            force_destroy=False,
            object_lock_enabled=args.locked is not None,
            tags=args.account.tags(args.what or "store", more),
            opts=self.kept(),
        )
        self._closed()
        versioned = self._versioned()
        self._lifecycle(versioned)
        self._locked(versioned)
        self.register_outputs({})

    def _closed(self) -> None:
        at = self.bucket.bucket
        aws.s3.BucketPublicAccessBlock(
            self.of("closed"),
            bucket=at,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self.child(),
        )
        aws.s3.BucketOwnershipControls(
            self.of("owner"), bucket=at, rule={"object_ownership": "BucketOwnerEnforced"}, opts=self.child()
        )
        encrypted = {"sse_algorithm": "aws:kms", "kms_master_key_id": self.args.key}
        aws.s3.BucketServerSideEncryptionConfiguration(
            self.of("key"),
            bucket=at,
            # One key for many objects: a call of KMS for each would cost more than the storage.
            rules=[{"apply_server_side_encryption_by_default": encrypted, "bucket_key_enabled": True}],
            opts=self.child(),
        )
        plain = {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [self.arn, f"{self.arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        aws.s3.BucketPolicy(
            self.of("policy"), bucket=at, policy=document(plain, *self.args.statements), opts=self.child()
        )

    def _versioned(self) -> Any:
        status = "Suspended" if self.args.versions is None else _ENABLED
        return aws.s3.BucketVersioning(
            self.of("versions"),
            bucket=self.bucket.bucket,
            versioning_configuration={"status": status},
            opts=self.child(),
        )

    def _lifecycle(self, versioned: Any) -> None:
        args = self.args
        rules: list[dict[str, Any]] = [
            {
                "id": "unfinished",
                "status": _ENABLED,
                "filter": {"prefix": ""},
                "abort_incomplete_multipart_upload": {"days_after_initiation": _UPLOAD_DAYS},
            }
        ]
        # What is locked cannot go before its time, and need not go after it.
        if args.versions is not None and args.locked is None:
            older = {"noncurrent_days": days(args.versions)}
            rules.append(_rule("versions", "", noncurrent_version_expiration=older))
        if args.expires is not None:
            rules.append(_rule("all", "", expiration={"days": days(args.expires)}))
        for folder, kept in args.folders.items():
            rules.append(_rule(folder.strip("/"), folder, expiration={"days": days(kept)}))
        aws.s3.BucketLifecycleConfiguration(
            self.of("lifecycle"), bucket=self.bucket.bucket, rules=rules, opts=self.child(after=[versioned])
        )

    def _locked(self, versioned: Any) -> None:
        if self.args.locked is None:
            return
        retention = {"mode": "COMPLIANCE", "days": days(self.args.locked)}
        aws.s3.BucketObjectLockConfiguration(
            self.of("lock"),
            bucket=self.bucket.bucket,
            object_lock_enabled=_ENABLED,
            rule={"default_retention": retention},
            opts=self.kept(after=[versioned]),
        )


def _rule(name: str, prefix: str, **does: Any) -> dict[str, Any]:
    return {"id": name, "status": _ENABLED, "filter": {"prefix": prefix}, **does}
