"""`python -m mlstrata.services.backup.objects --bucket NAME --folder DIR`: copies a bucket's objects into a folder.

Each content is kept once, under its SHA-256, and each copy is a list of the bucket's objects with their contents. So a
night fetches what is new, and N copies take little more room than one. What was fetched by a copy that was cut off is
not fetched again. With `--restore NAME` (or `newest`) the way back: the bucket is made where it is gone, and what it
lacks, or has otherwise, is sent to it. A content that is not what its name says is never sent: the objects that had it
are named, and all others come back. Address and keys of the service come in AWS's own variables.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from mlstrata.closed import Closed
from mlstrata.files import locked, sha256_of, write
from mlstrata.services.backup.copies import NEWEST, STAMP, BackupError, is_name
from mlstrata.services.storage.bucket import Unmade, make

CONTENTS, COPIES, FETCHED, LOCK = "contents", "copies", "fetched.jsonl", "lock"
_UNFINISHED = ".unfinished-"
_CHUNK = 1 << 20
_NIGHTS = 7
"""In so many nights every content is read again: each night those whose hash begins alike."""


class Object(Closed):
    """An object of the bucket as it was copied."""

    etag: str = Field(description="What the service says of its content; another content has another one.")
    size: int = Field(ge=0, description="Bytes.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Of its bytes, by which its content is called.")


class Copy(Closed):
    """One copy of a bucket."""

    bucket: str = Field(description="The bucket's name.")
    objects: dict[str, Object] = Field(description="By key, every object that it had.")


@dataclass(frozen=True)
class Made:
    """A copy that was made.

    Attributes:
        name: Its name.
        objects: How many objects it has.
        fetched: How many of them were fetched; the others were here.
        damaged: Contents that were no longer what their names say, and were fetched again.
        removed: Copies that were removed, as too old.
    """

    name: str
    objects: int
    fetched: int
    damaged: int
    removed: list[str]


class Folder:
    """Copies of one bucket.

    Args:
        path: Where they lie.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """Return the names of the copies, the oldest first."""
        return sorted(one.stem for one in (self.path / COPIES).glob("*.json") if is_name(one.stem))

    def read(self, name: str) -> Copy:
        """Return a copy.

        Raises:
            BackupError: There is no such copy, or its list is torn.
        """
        names = self.names()
        wanted = names[-1] if name == NEWEST and names else name
        if wanted not in names:
            allowed = f"{NEWEST}, {', '.join(names[-5:])}" if names else "none yet"
            raise BackupError(f"--restore: got {name}; allowed {allowed} in {self.path}")
        try:
            return Copy.model_validate_json((self.path / COPIES / f"{wanted}.json").read_bytes())
        except ValidationError as error:
            raise BackupError(f"{wanted}: its list is torn ({error.errors()[0]['msg']}); name another copy") from None

    def content(self, sha256: str) -> Path:
        """Return where a content lies."""
        return self.path / CONTENTS / sha256[:2] / sha256

    def holds(self, one: Object) -> bool:
        """Say whether the content of an object is there, as far as its size says."""
        try:
            return self.content(one.sha256).stat().st_size == one.size
        except FileNotFoundError:
            return False

    def known(self) -> dict[str, Object]:
        """Return the objects of the last copy and those that were fetched since, by key."""
        found: dict[str, Object] = {}
        for name in reversed(self.names()):
            try:
                found = dict(self.read(name).objects)
            except BackupError:
                continue  # the one before it holds nearly the same
            break
        for line in _lines(self.path / FETCHED):
            try:
                entry = json.loads(line)
                found[str(entry["key"])] = Object.model_validate(entry["object"])
            except (ValueError, KeyError, TypeError):
                continue  # cut off while it was written
        return found

    def fetched(self, key: str, one: Object) -> None:
        """Note an object, so that a copy that is cut off need not fetch it again."""
        with (self.path / FETCHED).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "object": one.model_dump()}) + "\n")

    def look(self, night: int) -> int:
        """Read a share of the contents again, and remove what is not what its name says; return how many that were."""
        damaged = 0
        for folder in sorted((self.path / CONTENTS).glob("[0-9a-f][0-9a-f]")):
            if int(folder.name, 16) % _NIGHTS == night % _NIGHTS:
                for path in folder.iterdir():
                    if sha256_of(path) != path.name:
                        path.unlink()
                        damaged += 1
        return damaged

    def forget(self, keep: int) -> list[str]:
        """Remove the oldest copies, and the contents that no copy has; return the copies' names."""
        names = self.names()
        old = names[:-keep]
        for name in old:
            (self.path / COPIES / f"{name}.json").unlink()
        used = {one.sha256 for name in names[-keep:] for one in self.read(name).objects.values()}
        for path in (self.path / CONTENTS).glob("*/*"):
            if path.name not in used:
                path.unlink()
        return old


def back_up(s3: Any, bucket: str, folder: Folder, keep: int, now: datetime) -> Made:
    """Copy a bucket's objects.

    Args:
        s3: A client of its service.
        bucket: Its name.
        folder: Where the copies lie.
        keep: How many copies stay, this one included; from 1.
        now: The time that names the copy, UTC.

    Raises:
        BackupError: An object did not arrive whole; older copies were kept.
        BotoCoreError, ClientError: The service refuses or does not answer.
    """
    for name in (CONTENTS, COPIES):
        (folder.path / name).mkdir(parents=True, exist_ok=True)
    for left in folder.path.glob(f"{_UNFINISHED}*"):
        left.unlink()
    damaged = folder.look(now.toordinal())
    known, objects, fetched = folder.known(), dict[str, Object](), 0
    for key, etag, size in _listed(s3, bucket):
        one: Object | None = known.get(key)
        if one is None or (one.etag, one.size) != (etag, size) or not folder.holds(one):
            one = _fetch(s3, bucket, key, folder)
            if one is None:
                continue
            folder.fetched(key, one)
            fetched += 1
        objects[key] = one
    if known and not objects:
        raise BackupError(
            f"s3://{bucket}: it is empty, and had {len(known)} objects; no copy was made, older ones were kept: "
            "restore one of them, or remove them where nothing is to come back"
        )
    name = now.strftime(STAMP)
    write(folder.path / COPIES / f"{name}.json", Copy(bucket=bucket, objects=objects).model_dump_json(indent=1) + "\n")
    (folder.path / FETCHED).unlink(missing_ok=True)
    return Made(name, len(objects), fetched, damaged, folder.forget(keep))


def restore(s3: Any, bucket: str, folder: Folder, name: str, *, versioning: bool) -> tuple[int, list[str]]:
    """Send to a bucket what it lacks of a copy, or has otherwise; what it has besides stays.

    Returns:
        How many objects were sent, and the keys of those whose contents are damaged or gone.

    Raises:
        BackupError: There is no such copy, or what the bucket holds then is not what was sent.
        Unmade: The bucket is gone and cannot be made.
        BotoCoreError, ClientError: The service refuses or does not answer.
    """
    copy = folder.read(name)
    make(bucket, versioning=versioning, client=s3)
    there = {key: (etag, size) for key, etag, size in _listed(s3, bucket)}
    lacking = {key: one for key, one in copy.objects.items() if there.get(key) != (one.etag, one.size)}
    lost: list[str] = []
    for key, one in lacking.items():
        path = folder.content(one.sha256)
        if sha256_of(path) != one.sha256:
            lost.append(key)
            continue
        s3.upload_file(str(path), bucket, key)
    held = {key: size for key, _, size in _listed(s3, bucket)}
    if wrong := [key for key, one in lacking.items() if key not in lost and held.get(key) != one.size]:
        raise BackupError(f"s3://{bucket}: {', '.join(wrong[:3])} did not arrive whole; run the restore again")
    return len(lacking) - len(lost), lost


def _listed(s3: Any, bucket: str) -> Iterator[tuple[str, str, int]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for one in page.get("Contents", []):
            yield one["Key"], one["ETag"], one["Size"]


def _fetch(s3: Any, bucket: str, key: str, folder: Folder) -> Object | None:
    """Fetch an object; None where it was removed since it was listed."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        return None
    found, size = hashlib.sha256(), 0
    with tempfile.NamedTemporaryFile(dir=folder.path, prefix=_UNFINISHED, delete=False) as file:
        path = Path(file.name)
        try:
            for chunk in answer["Body"].iter_chunks(_CHUNK):
                found.update(chunk)
                size += len(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            if size != answer["ContentLength"]:
                raise BackupError(f"s3://{bucket}/{key}: {size} bytes came of {answer['ContentLength']}")
            place = folder.content(found.hexdigest())
            place.parent.mkdir(exist_ok=True)
            path.rename(place)
        finally:
            path.unlink(missing_ok=True)
    return Object(etag=answer["ETag"], size=size, sha256=found.hexdigest())


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _said(made: Made) -> str:
    text = f"{made.name}: {made.objects} objects, {made.fetched} of them new; {len(made.removed)} older copies removed"
    return f"{text}; {made.damaged} damaged contents were fetched again" if made.damaged else text


def _run(given: Mapping[str, Any]) -> int:
    import boto3
    from botocore.config import Config

    s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard"}))
    bucket, folder = given["bucket"], Folder(given["folder"])
    folder.path.mkdir(parents=True, exist_ok=True)
    with locked(folder.path / LOCK):
        if not given["restore"]:
            sys.stdout.write(f"{_said(back_up(s3, bucket, folder, given['keep'], datetime.now(UTC)))}\n")
            return 0
        sent, lost = restore(s3, bucket, folder, given["restore"], versioning=given["versioning"])
    sys.stdout.write(f"s3://{bucket}: {sent} objects were sent, the others were there\n")
    if lost:
        named = ", ".join(lost[:10])
        sys.stderr.write(f"s3://{bucket}: {len(lost)} objects are damaged in {folder.path}, and not sent: {named}\n")
    return 1 if lost else 0


def main() -> int:
    """Copy what the command line names; 0 fine, 1 it could not be, or not all of it."""
    parser = argparse.ArgumentParser(prog="python -m mlstrata.services.backup.objects", description="Copy a bucket.")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--folder", type=Path, required=True, help="of its copies")
    parser.add_argument("--keep", type=int, default=14, help="copies that stay; 14, two weeks of nights")
    parser.add_argument("--restore", default="", help="a copy's name, or newest: into the bucket instead")
    parser.add_argument("--versioning", action="store_true", help="of a bucket that is made: keep overwritten objects")
    given = parser.parse_args()
    if given.keep < 1:
        parser.error(f"--keep: got {given.keep}; allowed from 1, as this copy stays too")
    os.umask(0o077)  # what is copied is for its owner alone
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return _run(vars(given))
    except (BackupError, Unmade, OSError, Boto3Error, BotoCoreError, ClientError) as error:
        where = f"s3://{given.bucket}: "
        sys.stderr.write(f"{where}{' '.join(str(error).split()).removeprefix(where)}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
