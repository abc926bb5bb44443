"""A local environment's data as one archive, and back: databases at one moment, every file with its hash."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from pydantic import Field, ValidationError

from mlstrata.closed import Closed

ARCHIVE, MANIFEST = "data.tar", "manifest.json"
DATA = "data"
"""The root that every environment has; a folder of artifacts elsewhere is another one."""
_LEFT_OUT = ("data/prometheus/*", "data/alertmanager/*", "data/runner/*/cache/*", "data/runner/*/compiled/*")
"""What is measured anew, or made again by the next run, and speaks of this machine's folders."""
_MARK = "data/mlflow/artifacts.location"
_SQLITE, _HEADER = b"SQLite format 3\x00", 100
"""How every SQLite database begins, and how long that header is at least, in bytes (sqlite.org/fileformat)."""
_JOURNALS = ("-wal", "-shm", "-journal")
_NEW, _OLD = ".restoring", ".replaced"


class CopyError(Exception):
    """A copy is not whole or not of this environment; the message says what differs and what to do."""


class Held(Closed):
    """One file of a copy."""

    size: int = Field(ge=0, description="Bytes.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Of its bytes, in hexadecimal digits.")


class Manifest(Closed):
    """What a copy holds, of what, and when."""

    environment: str = Field(description="The environment's name.")
    taken: datetime = Field(description="When, UTC.")
    version: str = Field(description="Of mlstrata.")
    storage: str = Field(description="Kind of the environment's storage.")
    outside: str = Field(default="", description="Bucket that holds the artifacts and is not in the copy; empty: none.")
    released: dict[str, str] = Field(description="By system, the version that answered.")
    files: dict[str, Held] = Field(description="By name, `root/path`, every file.")


def gather(roots: Mapping[str, Path], folder: Path, about: Manifest) -> Manifest:
    """Write archive and manifest into a folder.

    Nothing is stopped: a database is copied by SQLite itself as it was at one moment, before the files that it names,
    which are only ever added to.

    Args:
        roots: By name, the folders to copy.
        folder: Where to; made anew.
        about: The manifest, its files still to be named.

    Returns:
        The manifest with its files.

    Raises:
        CopyError: a database is damaged.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    found: dict[str, Held] = {}
    (folder / ARCHIVE).touch(mode=0o600)
    with tarfile.open(folder / ARCHIVE, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, path, is_database in sorted(_files(roots), key=lambda one: (not one[2], one[0])):
            # What its owner removed since it was listed belongs to nothing any more.
            with contextlib.suppress(FileNotFoundError), _opened(path, folder, is_database=is_database) as file:
                found[name] = _add(archive, name, file)
    manifest = about.model_copy(update={"files": found})
    (folder / MANIFEST).touch(mode=0o600)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return manifest


def _files(roots: Mapping[str, Path]) -> Iterator[tuple[str, Path, bool]]:
    for root, top in roots.items():
        for path in top.rglob("*"):
            name = f"{root}/{path.relative_to(top).as_posix()}"
            if not path.is_file() or path.is_symlink() or name.endswith(_JOURNALS) or _left_out(name, path):
                continue
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                head = file.read(_HEADER)
                yield name, path, head.startswith(_SQLITE) and len(head) == _HEADER


def _left_out(name: str, path: Path) -> bool:
    if name == _MARK:
        # Of a folder in the environment's own data it says where these lie, which a restore decides.
        return path.read_text(encoding="utf-8").startswith(str(path.parents[1]))
    return any(fnmatchcase(name, pattern) for pattern in _LEFT_OUT)


@contextlib.contextmanager
def _opened(path: Path, folder: Path, *, is_database: bool) -> Iterator[IO[bytes]]:
    if not is_database:
        with path.open("rb") as file:
            yield file
        return
    beside = folder / "database"
    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as source,
            contextlib.closing(sqlite3.connect(beside)) as target,
        ):
            try:
                source.backup(target)
            except sqlite3.DatabaseError as error:
                raise CopyError(f"{path}: the database is damaged ({error}); older copies are as they were") from error
        with beside.open("rb") as file:
            yield file
    finally:
        beside.unlink(missing_ok=True)


class _Hashing(io.RawIOBase):
    """Reads a file and remembers what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk


def _add(archive: tarfile.TarFile, name: str, file: IO[bytes]) -> Held:
    status = os.fstat(file.fileno())
    entry = tarfile.TarInfo(name)
    # A log that grows meanwhile is copied as long as it was here.
    entry.size, entry.mode, entry.mtime = status.st_size, 0o600, int(status.st_mtime)
    hashing = _Hashing(file)
    archive.addfile(entry, hashing)
    return Held(size=entry.size, sha256=hashing.digest.hexdigest())


def read_manifest(folder: Path, environment: str) -> Manifest:
    """Return the manifest of a copy that was fetched into a folder.

    Raises:
        CopyError: there is none, it is not one, or the copy is of another environment.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise CopyError(f"{MANIFEST}: got none; this is no copy of a local environment") from None
    except ValidationError as error:
        raise CopyError(f"{MANIFEST} is not what a backup writes: {error.errors()[0]['msg']}") from None
    if manifest.environment != environment:
        raise CopyError(f"the copy is of {manifest.environment!r}, not of {environment!r}; nothing was changed")
    return manifest


def put_back(folder: Path, roots: Mapping[str, Path], manifest: Manifest) -> None:
    """Make the folders hold what the copy holds: all of it, proved by its hashes, or nothing.

    Cut off at any point, the folders are as they were or whole, and the same call goes on.

    Raises:
        CopyError: the archive is not what the manifest says; the folders are as they were.
    """
    beside = {name: top.with_name(f"{top.name}{_NEW}") for name, top in roots.items()}
    for name, top in roots.items():
        shutil.rmtree(beside[name], ignore_errors=True)
        old = top.with_name(f"{top.name}{_OLD}")
        if old.exists() and not top.exists():
            old.rename(top)
        beside[name].mkdir(mode=0o700, parents=True)
    try:
        _unpack(folder / ARCHIVE, beside, manifest)
    except (CopyError, OSError, tarfile.TarError) as error:
        for path in beside.values():
            shutil.rmtree(path, ignore_errors=True)
        raise CopyError(f"{ARCHIVE} is damaged ({error}); nothing was changed") from error
    replaced = {top: top.with_name(f"{top.name}{_OLD}") for top in roots.values()}
    for name, top in roots.items():
        shutil.rmtree(replaced[top], ignore_errors=True)
        if top.exists():
            top.rename(replaced[top])
        beside[name].rename(top)
    for old in replaced.values():
        shutil.rmtree(old, ignore_errors=True)


def _unpack(path: Path, beside: Mapping[str, Path], manifest: Manifest) -> None:
    missing = dict(manifest.files)
    with tarfile.open(path) as archive:
        for entry in archive:
            root, _, rest = entry.name.partition("/")
            expected = missing.pop(entry.name, None)
            file = archive.extractfile(entry)
            if expected is None or file is None or root not in beside:
                raise CopyError(f"{entry.name}: the manifest knows no such file")
            target = (beside[root] / rest).resolve()
            if not target.is_relative_to(beside[root].resolve()):
                raise CopyError(f"{entry.name}: leads out of the environment's folder")
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
                    out.write(chunk)
            os.utime(target, (entry.mtime, entry.mtime))
            if digest.hexdigest() != expected.sha256:
                raise CopyError(f"{entry.name}: other bytes than were copied")
    if missing:
        raise CopyError(f"{', '.join(sorted(missing)[:3])}: not in the archive")
