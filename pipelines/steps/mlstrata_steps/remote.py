"""Data that lies elsewhere: an object of a bucket, or a file that a command has put into the registry.

It is fetched once a run, into a folder of the run's own; what is read is the very content that the run's stamp names.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mlstrata_steps.outcome import StepError

S3, REGISTRY = "s3://", "mlflow-artifacts:/"
ENDPOINT = "AWS_ENDPOINT_URL_S3"
"""Variable of AWS's clients with the address of another S3 service; a source's own goes before it."""
TRIES = 5
"""Broken transfers of one object that are taken up where they broke."""
_CHUNK = 1 << 20
_TIMEOUT_S = 60
_CHANGED, _DENIED = frozenset({"412", "PreconditionFailed"}), frozenset({"401", "403", "AccessDenied", "Forbidden"})


def is_remote(source: str) -> bool:
    """Say whether a source is no file of this machine."""
    return source.startswith((S3, REGISTRY))


def stamp(source: str, endpoint: str = "") -> str:
    """Identify the content of a source without reading it: `sha256:…`.

    An object's is made of its entity tag, which S3 gives every content that is written; a file in the registry lies
    beneath its own hash.

    Args:
        source: `s3://BUCKET/KEY`, or `mlflow-artifacts:/…/HASH/NAME`.
        endpoint: Address of the S3 service; empty: AWS, or what the variable `ENDPOINT` says.

    Raises:
        StepError: There is no such object, or it may not be read.
    """
    if source.startswith(REGISTRY):
        return f"sha256:{PurePosixPath(source).parent.name}"
    with _asking(source, endpoint) as bucket:
        return bucket.look().stamp


@dataclass(frozen=True)
class Fetched:
    """A source's content as a file of this machine, and the stamp of that very content."""

    path: Path
    stamp: str


def fetched(source: str, endpoint: str = "") -> Fetched:
    """Bring a source's content into the folder of temporary files.

    Args:
        source: As for `stamp`.
        endpoint: As for `stamp`.

    Raises:
        StepError: There is no such object, it may not be read, or it changed meanwhile.
    """
    if source.startswith(REGISTRY):
        return Fetched(_from_registry(source), stamp(source))
    with _asking(source, endpoint) as bucket:
        found = bucket.look()
        place = _place(f"{endpoint} {source} {found.tag}") / PurePosixPath(source).name
        if not place.is_file():
            part = place.with_name(f"{place.name}.{os.getpid()}")
            bucket.read(found, part)
            part.replace(place)
    return Fetched(place, found.stamp)


@dataclass(frozen=True)
class _Found:
    """An object: its entity tag, and its size in bytes."""

    tag: str
    size: int

    @property
    def stamp(self) -> str:
        return "sha256:" + hashlib.sha256(f"{self.tag} {self.size}".encode()).hexdigest()


class _Object:
    """One object of a bucket."""

    def __init__(self, source: str, endpoint: str) -> None:
        import boto3.session
        from botocore.config import Config

        self.bucket, _, self.key = source.removeprefix(S3).partition("/")
        retries = {"max_attempts": TRIES, "mode": "standard"}
        # Services other than AWS's have no name for each bucket.
        style = {"addressing_style": "path" if endpoint or os.environ.get(ENDPOINT) else "auto"}
        config = Config(s3=style, retries=retries, connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S)
        # A session of its own: the shared one keeps the keys that it saw first.
        self._client = boto3.session.Session().client("s3", endpoint_url=endpoint or None, config=config)

    def look(self) -> _Found:
        """Ask what is there."""
        found = self._client.head_object(Bucket=self.bucket, Key=self.key)
        return _Found(str(found["ETag"]), int(found["ContentLength"]))

    def read(self, found: _Found, place: Path) -> None:
        """Write the object's bytes, those of this very tag; a transfer that breaks goes on where it broke."""
        from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

        place.write_bytes(b"")
        for left in reversed(range(TRIES)):
            have = place.stat().st_size
            if have == found.size:
                return
            try:
                self._append(found, have, place)
            except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
                if not left:
                    raise

    def _append(self, found: _Found, have: int, place: Path) -> None:
        asked: dict[str, Any] = {"Bucket": self.bucket, "Key": self.key, "IfMatch": found.tag}
        if have:
            asked["Range"] = f"bytes={have}-"
        body = self._client.get_object(**asked)["Body"]
        with place.open("ab") as file:
            for chunk in body.iter_chunks(_CHUNK):
                file.write(chunk)


@contextmanager
def _asking(source: str, endpoint: str) -> Iterator[_Object]:
    """Give an object to ask; whatever its service says against it becomes one sentence."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
    except ImportError as error:
        raise StepError(f"data source {source!r} needs the package boto3, which is not installed here") from error
    where = f"data source: {source!r}" + (f" at {endpoint}" if endpoint else "")
    try:
        yield _Object(source, endpoint)
    except NoCredentialsError as error:
        fix = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile of AWS's tools"
        raise StepError(f"{where}: there are no keys to read it with; {fix}") from error
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _CHANGED:
            raise StepError(f"{where}: it was written anew while it was read; run it again") from error
        if code in _DENIED:
            raise StepError(f"{where}: the keys may not read it ({code}); give them s3:GetObject of it") from error
        if code in {"404", "NoSuchKey", "NoSuchBucket"}:
            raise StepError(f"{where}: there is no such object; look at bucket and key") from error
        raise StepError(f"{where}: it was refused: {error}") from error
    except (BotoCoreError, ValueError) as error:
        raise StepError(f"{where}: it cannot be read: {error}") from error


def _from_registry(source: str) -> Path:
    """Fetch the folder of a file: a DVC pointer and the file that it names lie in one."""
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    path, folder = PurePosixPath(source.removeprefix(REGISTRY)), _place(source)
    place = folder / path.name
    if not place.is_file():
        try:
            for one in mlflow.artifacts.list_artifacts(f"{REGISTRY}{path.parent}"):
                mlflow.artifacts.download_artifacts(
                    f"{REGISTRY}{path.parent}/{PurePosixPath(one.path).name}", dst_path=str(folder)
                )
        except MlflowException as error:
            reason = str(error).partition("\n")[0]
            raise StepError(f"data source: {source!r} cannot be read from the registry: {reason}") from error
    if not place.is_file():
        raise StepError(f"data source: the registry has no {source!r}; `mlstrata train` puts it there")
    return place


def _place(identity: str) -> Path:
    folder = Path(tempfile.gettempdir()) / "mlstrata-data" / hashlib.sha256(identity.encode()).hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
