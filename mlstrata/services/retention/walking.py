"""Folders as what they take of the disk. A link is counted as nothing and never followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

DOOMED = ".mlstrata-removed"
"""How the name of what is being removed ends: renamed first, so half of it never looks like the whole."""


class Measured(NamedTuple):
    """What a file or a folder takes.

    Attributes:
        size: Bytes of its files.
        changed: When anything in it was changed last, in seconds since 1970.
    """

    size: int
    changed: float


def measured(path: Path) -> Measured:
    """Measure a file, or all that is below a folder; what goes away meanwhile is not counted."""
    size, changed = 0, 0.0
    waiting = [path]
    while waiting:
        one = waiting.pop()
        with suppress(OSError):
            about = one.lstat()
            changed = max(changed, about.st_mtime)
            if stat.S_ISREG(about.st_mode):
                size += about.st_size
            elif stat.S_ISDIR(about.st_mode):
                # A tree may have a million files: one call a folder, and one a file.
                with os.scandir(one) as found:
                    for entry in found:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(Path(entry.path))
                        elif entry.is_file(follow_symlinks=False):
                            about = entry.stat(follow_symlinks=False)
                            size, changed = size + about.st_size, max(changed, about.st_mtime)
    return Measured(size, changed)


def inside(home: Path, place: str) -> Path | None:
    """Return a folder below the home; None where there is none, or a link leads to it: what it leads to is not ours."""
    path = home
    for part in Path(place).parts:
        path /= part
        if path.is_symlink():
            return None
    return path if path.is_dir() else None


def children(home: Path, place: str) -> Iterator[Path]:
    """Yield what lies in a folder below the home, links and what is being removed left out."""
    return (one for one in _listed(home, place) if not one.name.endswith(DOOMED))


def left(home: Path, place: str) -> Iterator[Path]:
    """Yield what a removal that was cut off left in a folder below the home."""
    return (one for one in _listed(home, place) if one.name.endswith(DOOMED))


def _listed(home: Path, place: str) -> list[Path]:
    if (folder := inside(home, place)) is None:
        return []
    with suppress(OSError):
        return [one for one in sorted(folder.iterdir()) if not one.is_symlink()]
    return []
