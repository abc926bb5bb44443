"""Files that are written whole or not at all, locks between processes, and how a damaged file is reported."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pydantic import ValidationError

UNFINISHED = ".mlstrata-unfinished"
"""How the name of a file ends that a killed process left half written."""
PRIVATE = 0o600


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal digits; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """Give a new file that takes the place of `path` once the block ends; a block that raises changes nothing.

    A reader sees the old content or the new one, never a part, also after the machine loses power.

    Args:
        path: The file; its folder is made.
        mode: Permissions, from the first byte on; None for what the umask leaves.

    Raises:
        OSError: It cannot be written; the old file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_native_id()}{UNFINISHED}")
    beside.unlink(missing_ok=True)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(beside, flags, 0o666 if mode is None else mode), "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write(path: Path, content: str | bytes, mode: int | None = PRIVATE) -> bool:
    """Put `content` at `path` as `replacing` does, unless it is there already; return whether anything changed.

    What an environment owns is for its owner alone; `mode` None leaves a file to the umask, as what people share.

    Raises:
        OSError: It cannot be written; the old file is as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    with suppress(OSError):
        if path.read_bytes() == data and mode in (None, path.stat().st_mode & 0o777):
            return False
    with replacing(path, mode) as file:
        file.write(data)
    return True


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner enters, and those above it that are missing; return it.

    Raises:
        OSError: It cannot be made.
    """
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def write_private(path: Path, content: str | bytes) -> bool:
    """Do as `write`, for a file that only its owner may read, in a folder that only its owner enters.

    Raises:
        OSError: It cannot be written; the old file is as it was.
    """
    private_folder(path.parent)
    return write(path, content, PRIVATE)


def sync_folder(folder: Path) -> None:
    """Have the names in `folder` survive a loss of power.

    Raises:
        OSError: The folder is not there, or the disk fails.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[int]:
    """Hold a lock between processes until the block ends; it falls with the process that holds it, however that ends.

    Args:
        path: The file of the lock, made private to its owner with its folder; or a folder that exists.
        shared: Several may hold it at once, as readers do.
        wait: Wait for those that hold it.

    Yields:
        The open file's descriptor, for what the holder notes in it.

    Raises:
        BlockingIOError: Another process holds it, and `wait` is false.
    """
    private_folder(path.parent)
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    handle = os.open(path, flags | os.O_CLOEXEC, PRIVATE)
    try:
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(handle, how if wait else how | fcntl.LOCK_NB)
        yield handle
    finally:
        os.close(handle)


def damaged(path: Path, writer: str, error: ValidationError) -> str:
    """Say in one sentence which file is damaged, what writes it, the first error in it, and how to mend it."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "as a whole"
    found = f"{where}: {first['msg'].removeprefix('Value error, ')}"
    return f"{path}: not what a {writer} writes ({found}); restore it from a backup"
