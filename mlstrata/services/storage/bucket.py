"""`python -m mlstrata.services.storage.bucket --bucket NAME`: makes a bucket where there is none.

Address and keys come in AWS's own variables. Exit code 0 when it is there, 1 when it could not be made.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from mlstrata import waiting

PATIENCE = 120.0
"""Seconds to wait for a service that starts beside: a store on a new volume takes some."""
_OURS = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})


class Unmade(Exception):
    """It is not there and could not be made; the message says why."""


def make(bucket: str, *, versioning: bool, seconds: float = PATIENCE, client: Any = None) -> str:
    """Make a bucket, or find it there.

    Args:
        bucket: Its name.
        versioning: Keep overwritten objects.
        seconds: How long its service may take to answer.
        client: An S3 client; None: one from AWS's variables.

    Returns:
        `made` or `there`.

    Raises:
        Unmade: its service refuses, or does not answer in time.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    s3 = client or boto3.client("s3", config=Config(s3={"addressing_style": "path"}))

    def passes(error: Exception) -> bool:
        # What is refused stays refused; a service that does not answer yet may later.
        refused = isinstance(error, ClientError) and 400 <= _status(error) < 500  # noqa: PLR2004 - HTTP's own
        return isinstance(error, BotoCoreError | ClientError) and not refused

    try:
        return waiting.retry(lambda: _made(s3, bucket, versioning=versioning), seconds, passes, pause=1)
    except (BotoCoreError, ClientError) as error:
        raise Unmade(f"bucket {bucket} cannot be made: {error}") from error


def _made(s3: Any, bucket: str, *, versioning: bool) -> str:
    from botocore.exceptions import ClientError

    done = "made"
    try:
        s3.create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in _OURS:
            raise
        done = "there"
    if versioning:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return done


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m mlstrata.services.storage.bucket", description="Makes a bucket.")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--versioning", action="store_true", help="keep overwritten objects")
    given = parser.parse_args()
    try:
        sys.stdout.write(f"{given.bucket}: {make(given.bucket, versioning=given.versioning)}\n")
    except Unmade as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
