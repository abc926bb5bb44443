"""Pulumi's file backend: where the checkpoint, its backup, the locks and the history of a stack are."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulumi_embedded.errors import CorruptCheckpoint, DiskFull, StateWriteFailed, Unsupported
from pulumi_embedded.shape import misshapen
from pulumi_embedded.state import FEATURES, magic_is_right

_VERSIONS = (3, 4)


class Backend:
    """The state of stacks under ``root/.pulumi``, as ``pulumi login file://root`` lays it out.

    Args:
        root: the folder that holds ``.pulumi``; made on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()  # the working directory is another while a program runs
        self.home = self.root / ".pulumi"

    def path(self, project: str, stack: str) -> Path:
        """Checkpoint file of a stack."""
        return self.home / "stacks" / project / f"{stack}.json"

    def locks(self, project: str, stack: str) -> Path:
        """Folder of a stack's lock files."""
        return self.home / "locks" / "organization" / project / stack

    def exists(self, project: str, stack: str) -> bool:
        """Whether the stack has a checkpoint."""
        return self.path(project, stack).is_file()

    def stacks(self) -> tuple[tuple[str, str], ...]:
        """List (project, stack) of every checkpoint, sorted."""
        found = (self.home / "stacks").glob("*/*.json")
        return tuple(sorted((path.parent.name, path.stem) for path in found))

    def read(self, project: str, stack: str) -> dict[str, Any] | None:
        """Read the ``checkpoint`` part of a stack's file; None when there is none.

        Raises:
            CorruptCheckpoint: packed, not JSON, another version, or a manifest the CLI would refuse.
            Unsupported: it has what this engine does not know.
        """
        path = self.path(project, stack)
        _refuse_packed(path, stack)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise CorruptCheckpoint(f"{path}: cannot be read ({error})") from None
        hint = f"restore it from {path.name}.bak beside it" if self.backup(path).exists() else "restore it from a copy"
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise CorruptCheckpoint(f"{path}: not JSON ({error}); {hint}") from None
        if not isinstance(raw, dict) or raw.get("version") not in _VERSIONS:
            raise CorruptCheckpoint(f"{path}: {_misread(raw, hint)}")
        if others := sorted(map(str, set(raw.get("features") or ()).difference(FEATURES))):
            raise Unsupported(f"{path}: a state with {', '.join(others)}")
        if problem := misshapen(raw.get("checkpoint")):
            raise CorruptCheckpoint(f"{path}: JSON, but not a checkpoint with its resources: {problem}; {hint}")
        checkpoint: dict[str, Any] = raw["checkpoint"]
        latest = checkpoint.get("latest") or {}
        if not magic_is_right(latest.get("manifest") or {}):
            raise CorruptCheckpoint(f"{path}: the manifest's magic does not match its version; {hint}")
        kind = (latest.get("secrets_providers") or {}).get("type", "passphrase")
        if kind not in ("passphrase", ""):
            raise CorruptCheckpoint(f"{path}: secrets are kept by {kind!r}; this engine reads passphrase")
        return checkpoint

    @staticmethod
    def backup(path: Path) -> Path:
        """The copy of a checkpoint as it was before the last run that wrote it."""
        return path.with_name(f"{path.name}.bak")

    def keep_backup(self, project: str, stack: str) -> None:
        """Copy the checkpoint aside before a run changes it.

        Raises:
            StateWriteFailed: the copy cannot be made.
        """
        path = self.path(project, stack)
        if path.exists():
            try:
                shutil.copy2(path, self.backup(path))
            except OSError as error:
                raise write_error(path, error) from None

    def write(self, project: str, stack: str, text: str) -> None:
        """Replace the checkpoint atomically and durably.

        Raises:
            StateWriteFailed: DiskFull when no space is left.
        """
        path = self.path(project, stack)
        self._meta()
        replace_file(path, text)

    def remove(self, project: str, stack: str) -> None:
        """Forget a stack: its checkpoint, backup, history and locks. Its resources are not touched."""
        path = self.path(project, stack)
        for gone in (path, self.backup(path)):
            gone.unlink(missing_ok=True)
        for folder in (self.home / "history" / project / stack, self.locks(project, stack)):
            shutil.rmtree(folder, ignore_errors=True)

    def record(self, project: str, stack: str, entry: Mapping[str, Any]) -> None:
        """Add a history entry with a copy of the checkpoint; history is a convenience, so a failure is let pass."""
        folder = self.home / "history" / project / stack
        stem = f"{stack}-{time.time_ns()}"
        with contextlib.suppress(OSError, StateWriteFailed):
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(folder / f"{stem}.history.json", json.dumps(dict(entry)))
            if self.exists(project, stack):
                shutil.copy2(self.path(project, stack), folder / f"{stem}.checkpoint.json")

    def _meta(self) -> None:
        meta = self.home / "meta.yaml"
        if not meta.exists():
            replace_file(meta, "version: 1\n")


def _refuse_packed(path: Path, stack: str) -> None:
    """Refuse a state of the CLI's that is packed: beside it everything would be planned as new."""
    packed = path.with_name(f"{path.name}.gz")
    if packed.exists():
        raise CorruptCheckpoint(
            f"{packed}: packed by the CLI (PULUMI_DIY_BACKEND_GZIP, before: PULUMI_SELF_MANAGED_STATE_GZIP), and this "
            f"engine reads {path.name}; unset that variable, run `pulumi stack export -s {stack} --file state.json`, "
            f"then `pulumi stack import -s {stack} --file state.json`"
        )


def _misread(raw: Any, hint: str) -> str:
    """Return why this is no checkpoint that this engine reads, and the fix: none where it would lose what is newer."""
    version = raw.get("version") if isinstance(raw, dict) else None
    if isinstance(version, int) and version > max(_VERSIONS):
        newer = "written by a newer Pulumi: upgrade this engine, or go on with the pulumi command"
        return f"version is {version}, this engine reads 3 and 4; {newer}"
    return f"version is {version!r}, this engine reads 3 and 4; {hint}"


def write_error(path: Path, error: OSError) -> StateWriteFailed:
    """Say why a state file could not be written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return DiskFull(path, error) if full else StateWriteFailed(path, error)


def replace_file(path: Path, text: str) -> None:
    """Write a file beside its place, sync it and rename it: readers see the old or the new one, never a part.

    Raises:
        StateWriteFailed: DiskFull when no space is left.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise write_error(path, error) from None
