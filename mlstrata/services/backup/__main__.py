"""`python -m mlstrata.services.backup --folder DIR --to s3://BUCKET/PREFIX`: copies a folder.

The files go under today's time, and N copies are kept.

With `--restore NAME` (or `newest`) the way back: that copy's files, into the folder. A copy counts only when it was
read back: each file's size is compared with what the store says it holds, then a list of them is put beside them, and
only then is an older copy removed. One without a list that fits was cut off: it is removed, and never restored from.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from mlstrata import worker
from mlstrata.services.backup.copies import NEWEST, STAMP, BackupError, is_name

LIST = "complete.json"
"""What is written last into a copy: its files by name, each with its size in bytes."""


class Kept(NamedTuple):
    """A copy that was made: its name, and the names of those that were removed, as too old or as never finished."""

    name: str
    removed: list[str]
    unfinished: list[str]


def back_up(folder: Path, to: str, keep: int, now: datetime) -> Kept:
    """Copy a folder's files, then remove the oldest copies.

    Args:
        folder: Holds what is copied, files alone.
        to: Address above the copies, such as s3://bucket/backups/database.
        keep: How many copies stay, this one included; from 1.
        now: The time that names the copy, UTC.

    Raises:
        BackupError: there is nothing to copy, or what the store holds is not what was sent.
    """
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}
    if not files or not all(files.values()):
        raise BackupError(f"{folder}: got {files or 'no files'}; a backup needs files, none of them empty")
    name = now.strftime(STAMP)
    copy = _store(f"{to}/{name}")
    for file in files:
        copy.log_artifact(str(folder / file))
    held = _sizes(copy)
    if wrong := [file for file, size in files.items() if held.get(file) != size]:
        raise BackupError(f"{to}/{name}: {', '.join(wrong)} did not arrive whole; older copies were kept")
    with TemporaryDirectory() as beside:
        (Path(beside) / LIST).write_text(json.dumps(files), encoding="utf-8")
        copy.log_artifact(str(Path(beside) / LIST))
    return Kept(name, *_forget(to, keep, name))


def _forget(to: str, keep: int, newest: str) -> tuple[list[str], list[str]]:
    """Remove the copies that were never finished, then the oldest whole ones; return the names of both."""
    above = _store(to)
    names = [name for name in _names(to) if name <= newest]
    whole = [name for name in names if _is_whole(to, name)]
    old, unfinished = whole[:-keep], sorted({*names} - {*whole})
    for name in (*unfinished, *old):
        above.delete_artifacts(name)
    return old, unfinished


def _names(to: str) -> list[str]:
    return sorted(one.path for one in _store(to).list_artifacts() if one.is_dir and is_name(one.path))


def _is_whole(to: str, name: str) -> bool:
    """Return whether a copy has the list of its files, and each is there with its size."""
    copy = _store(f"{to}/{name}")
    held = _sizes(copy)
    if LIST not in held:
        return False
    with TemporaryDirectory() as beside:
        content = Path(copy.download_artifacts(LIST, beside)).read_bytes()
    try:
        listed = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(listed, dict) and all(held.get(file) == size for file, size in listed.items())


def _sizes(copy: Any) -> dict[str, int]:
    return {one.path: one.file_size for one in copy.list_artifacts()}


def fetch(folder: Path, of: str, name: str) -> str:
    """Put a copy's files back into a folder.

    Args:
        folder: Where to; files of the same names are replaced.
        of: Address above the copies.
        name: A copy's name, or `newest`.

    Returns:
        The name of the copy that was taken.

    Raises:
        BackupError: there is no such copy, or it was cut off; the message lists the last ones.
    """
    copies = [one for one in _names(of) if _is_whole(of, one)]
    wanted = copies[-1] if name == NEWEST and copies else name
    if wanted not in copies:
        got = f"{name}, a copy that was never finished" if name in _names(of) else name
        allowed = f"{NEWEST}, {', '.join(copies[-5:])}" if copies else "none yet"
        raise BackupError(f"--restore: got {got}; allowed {allowed} at {of}")
    folder.mkdir(parents=True, exist_ok=True)
    _store(f"{of}/{wanted}").download_artifacts("", str(folder))
    (folder / LIST).unlink()
    return wanted


def _store(address: str) -> Any:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(address)


def main() -> int:
    """Copy what the command line names; 0 fine, 1 it could not be."""
    parser = argparse.ArgumentParser(prog="python -m mlstrata.services.backup", description="Copy files into a bucket.")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--to", required=True, help="s3://bucket/prefix")
    parser.add_argument("--keep", type=int, default=14, help="copies that stay; 14, two weeks of nights")
    parser.add_argument("--restore", default="", help="a copy's name, or newest: into the folder instead")
    parser.add_argument(worker.ATTACHED, action="store_true", help="report as a job to a caller; end with it")
    given = parser.parse_args()
    if given.attached:
        worker.end_with_caller()
    if given.keep < 1:
        parser.error(f"--keep: got {given.keep}; allowed from 1, as this copy stays too")
    os.umask(0o077)  # what is copied is for its owner alone, in a folder of this machine too
    try:
        if given.restore:
            name = fetch(given.folder, given.to.rstrip("/"), given.restore)
            return _done(f"{name} is in {given.folder}", {"copy": name}, attached=given.attached)
        kept = back_up(given.folder, given.to.rstrip("/"), given.keep, datetime.now(UTC))
    except _failures() as error:
        said = f"{given.to}: {' '.join(str(error).split()).removeprefix(f'{given.to}: ')}"
        if given.attached:
            return worker.fail(said)
        sys.stderr.write(f"{said}\n")
        return 1
    text = f"{kept.name} is kept at {given.to}; {len(kept.removed)} older ones removed"
    if kept.unfinished:
        text += f"; {len(kept.unfinished)} that were never finished removed"
    result = {"copy": kept.name, "removed": kept.removed, "unfinished": kept.unfinished}
    return _done(text, result, attached=given.attached)


def _done(text: str, result: dict[str, Any], *, attached: bool) -> int:
    if attached:
        return worker.finish(result)
    sys.stdout.write(f"{text}\n")
    return 0


def _failures() -> tuple[type[Exception], ...]:
    """Return what says that a copy cannot be made, a store that refuses or is not there included."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from mlflow.exceptions import MlflowException

    return BackupError, OSError, Boto3Error, BotoCoreError, ClientError, MlflowException


if __name__ == "__main__":
    sys.exit(main())
