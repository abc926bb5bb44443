"""The engine's records of updates, each with a copy of the state: removed once they have been kept long enough."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlstrata.operations.deployment import Deployment

NEWEST = 10
"""Updates that stay whatever their age."""
FOLDERS = ("history", "backups")
"""Of Pulumi's file backend: updates with their states, and what the CLI copies before it writes."""

_NUMBER = re.compile(r".*?([0-9]{10,}).*")
"""Nanoseconds since 1970, which name an update in both."""


@dataclass(frozen=True)
class Update:
    """One update, as the files that tell of it.

    Attributes:
        files: They.
        size: Their bytes.
        until: When they may go, in seconds since 1970; None: not while it is among the newest.
    """

    files: tuple[Path, ...]
    size: int
    until: float | None


def updates(deployment: Deployment) -> Iterator[Update]:
    """Yield what the state's backend tells of an environment's updates."""
    keep = deployment.spec.retention.history.total_seconds()
    for name in FOLDERS:
        folder = deployment.workspace.root / ".pulumi" / name / deployment.workspace.project / deployment.stack
        by_update: defaultdict[str, list[Path]] = defaultdict(list)
        with suppress(OSError):
            for path in folder.iterdir():
                if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                    by_update[_NUMBER.sub(r"\1", path.name)].append(path)
        found = [_update(files, keep) for files in by_update.values()]
        found.sort(key=lambda one: one.until or 0.0, reverse=True)
        for number, one in enumerate(found):
            yield Update(one.files, one.size, None) if number < NEWEST else one


def prune(deployment: Deployment, now: float) -> None:
    """Remove what may go by `now`; what cannot be removed is left to the next update."""
    for update in updates(deployment):
        if update.until is not None and update.until <= now:
            for file in update.files:
                with suppress(OSError):
                    file.unlink(missing_ok=True)


def _update(files: list[Path], keep: float) -> Update:
    size, newest = 0, 0.0
    for file in files:
        with suppress(OSError):
            about = file.lstat()
            size, newest = size + about.st_size, max(newest, about.st_mtime)
    return Update(tuple(sorted(files)), size, newest + keep)
