"""Files of an environment's home: written whole or not at all, hashed, never outside of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlstrata import files
from mlstrata.components.supervision.values import SupervisionError


def inside(home: Path, relative: str) -> Path:
    """Return the path of `relative` in `home`.

    Raises:
        SupervisionError: It is absolute or leads out of the home folder.
    """
    path = Path(os.path.normpath(home / relative))
    if Path(relative).is_absolute() or not path.is_relative_to(home) or path == home:
        raise SupervisionError(f"{relative!r} is not a path inside of the environment's home; give a relative one")
    return path


def write(path: Path, content: str, mode: int = 0o600) -> bool:
    """Put `content` at `path` by a rename, so a reader sees the old text or the new; say whether anything changed."""
    try:
        files.private_folder(path.parent)
        return files.write(path, content, mode)
    except OSError as error:
        raise SupervisionError(f"could not write {path}: {error.strerror or error}") from error


def read(path: Path) -> str | None:
    """Return a file's text, None when it is not there or cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an absent or broken file is an empty one."""
    try:
        document = json.loads(read(path) or "{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def digest(parts: Mapping[str, str]) -> str:
    """Hash named texts (sha256, hexadecimal, 16 digits): equal for equal names and texts, whatever their order."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()[:16]


def remove(path: Path, home: Path) -> None:
    """Remove a file and the folders that it leaves empty, up to `home`."""
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == home or not parent.is_relative_to(home):
            return
        try:
            parent.rmdir()
        except OSError:
            return


def tail(path: Path, lines: int = 12) -> str:
    """Return the last lines of a log, each indented, or a note that it is empty."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 20_000))
            text = stream.read().decode(errors="replace")
    except OSError:
        text = ""
    kept = [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]
    return "\n".join(f"    {line[:400]}" for line in kept) or "    (its log is empty)"
