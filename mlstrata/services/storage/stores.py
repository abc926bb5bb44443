"""Folder and bucket behind one interface: names of artifacts, their bytes, and nothing half written."""

from __future__ import annotations

import contextlib
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from mlstrata import files, waiting
from mlstrata.clients.mlflow.access import past_proxies
from mlstrata.services.storage.settings import BucketStore, FolderStore, Store

_CHUNK = 1 << 20
_PATIENCE = 300.0
# Whoever asks the registry whether it is well waits half a minute for the answer.
_PROBE_SECONDS = 10


class StorageError(Exception):
    """A store does not do what is asked; the message says which, what and how to mend it."""


class Artifacts(ABC):
    """All artifacts of a store, by names relative to it, with `/` between their parts."""

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of every artifact, by name."""

    @abstractmethod
    def open(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open an artifact to read it from its start."""

    @abstractmethod
    def write(self, name: str, source: BinaryIO) -> None:
        """Write an artifact, all of it or nothing."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove an artifact; one that is gone is fine."""

    def digest(self, name: str) -> str:
        """Return the SHA-256 of an artifact's bytes, as they are read back now."""
        found = hashlib.sha256()
        with self.open(name) as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
        return found.hexdigest()


class Folder(Artifacts):
    """Files under a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def sizes(self) -> dict[str, int]:
        """Return every file's size; what a dead run left unfinished is none."""
        return {
            path.relative_to(self._root).as_posix(): path.stat().st_size
            for path in self._root.rglob("*")
            if path.is_file() and not path.name.endswith(files.UNFINISHED)
        }

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file."""
        with (self._root / name).open("rb") as file:
            yield file

    def write(self, name: str, source: BinaryIO) -> None:
        """Write a file; a power cut leaves the old one or the new one."""
        with files.replacing(self._root / name) as file:
            while chunk := source.read(_CHUNK):
                file.write(chunk)

    def remove(self, name: str) -> None:
        """Remove a file, and the folders that are empty then."""
        path = self._root / name
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == self._root:
                break
            try:
                parent.rmdir()
            except OSError:
                break


class Bucket(Artifacts):
    """Objects of a bucket under a prefix."""

    def __init__(self, settings: BucketStore) -> None:
        self._settings = settings
        self._made: Any = None
        self._impatient: Any = None

    @property
    def _client(self) -> Any:
        if self._made is None:
            self._made = self._connect(attempts=5)
        return self._made

    def _connect(self, attempts: int, **timeouts: float) -> Any:
        import boto3
        from botocore.config import Config

        # By variables rather than arguments: the keys are read by boto3 alone, from their own file.
        os.environ.update(self._settings.variables())
        past_proxies(self._settings.endpoint)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
            os.environ.pop(name, None)
        retries = {"max_attempts": attempts, "mode": "standard"}
        config = Config(s3={"addressing_style": "path"}, retries=retries, **timeouts)
        return boto3.client("s3", endpoint_url=self._settings.endpoint, config=config)

    def prepare(self, seconds: float = _PATIENCE) -> None:
        """Wait until the bucket can be used; make it first where it is the environment's own.

        Raises:
            StorageError: after `seconds` it still cannot.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        def passes(error: Exception) -> bool:
            code = str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
            final = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
            final |= set() if self._settings.own else {"404", "NoSuchBucket"}
            return isinstance(error, ClientError | BotoCoreError) and code not in final

        try:
            waiting.retry(self._ready, seconds, passes)
        except (ClientError, BotoCoreError) as error:
            raise self._problem(error) from error

    def _ready(self) -> None:
        from botocore.exceptions import ClientError

        bucket = self._settings.bucket
        try:
            self._client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if not self._settings.own or str(error.response["Error"]["Code"]) not in {"404", "NoSuchBucket"}:
                raise
            self._client.create_bucket(Bucket=bucket)
        if self._settings.own and self._settings.versioning:
            self._client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        # It answers before it can give anything out: only a read that went through says that it can.
        try:
            self._read_probe(self._client)
        except self._client.exceptions.NoSuchKey:
            self._client.put_object(Bucket=bucket, Key=self._probe_key, Body=b"1")
            self._read_probe(self._client)

    def probe(self) -> None:
        """Read the object that `prepare` left, once and without patience.

        Raises:
            Exception: whatever kept it from being read.
        """
        if self._impatient is None:
            self._impatient = self._connect(attempts=1, connect_timeout=_PROBE_SECONDS, read_timeout=_PROBE_SECONDS)
        self._read_probe(self._impatient)

    @property
    def _probe_key(self) -> str:
        return f"{self._settings.prefix}-probe"

    def _read_probe(self, client: Any) -> None:
        client.get_object(Bucket=self._settings.bucket, Key=self._probe_key)["Body"].read()

    def sizes(self) -> dict[str, int]:
        """Return every object's size."""
        start = f"{self._settings.prefix}/"
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._settings.bucket, Prefix=start)
        return {
            one["Key"].removeprefix(start): int(one["Size"])
            for page in pages
            for one in page.get("Contents", [])
            if not one["Key"].endswith("/")
        }

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open an object."""
        body = self._client.get_object(Bucket=self._settings.bucket, Key=self._key(name))["Body"]
        with contextlib.closing(body):
            yield body

    def write(self, name: str, source: BinaryIO) -> None:
        """Upload; the service shows the object once it has all of it."""
        # boto3 reads in a thread of its own and wants to seek: from memory where small, else from a file.
        import tempfile

        with tempfile.SpooledTemporaryFile(max_size=64 * _CHUNK) as held:
            while chunk := source.read(_CHUNK):
                held.write(chunk)
            held.seek(0)
            self._client.upload_fileobj(held, self._settings.bucket, self._key(name))

    def remove(self, name: str) -> None:
        """Remove an object with all that versioning kept of it."""
        key, bucket = self._key(name), self._settings.bucket
        self._client.delete_object(Bucket=bucket, Key=key)
        for page in self._client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
            for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                if one["Key"] == key:
                    self._client.delete_object(Bucket=bucket, Key=key, VersionId=one["VersionId"])

    def _key(self, name: str) -> str:
        return f"{self._settings.prefix}/{name}"

    def _problem(self, error: Exception) -> StorageError:
        where = f"bucket {self._settings.bucket} at {self._settings.endpoint}"
        return StorageError(f"{where} cannot be used: {error}; keys are read from {self._settings.credentials}")


def opened(store: Store) -> Artifacts:
    """Return a store ready to be used.

    Raises:
        StorageError: it cannot be used.
    """
    if isinstance(store, FolderStore):
        store.path.mkdir(parents=True, exist_ok=True)
        return Folder(store.path)
    bucket = Bucket(store)
    bucket.prepare()
    return bucket
