"""Which code a local service runs: another version of it is another definition, so `up` restarts what runs it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from mlstrata import files
from mlstrata.environments.installation import programs_folder, room
from mlstrata_steps.versioning import tree_digest

PACKAGES = ("audit", "clients", "environments", "pipelines", "services")
"""What services import, and pipelines for them; the modules beside the rooms come on top."""
_SOURCES = frozenset({".py", ".html", ".css"})
_COMPILED = frozenset({"envoy"})


def version(program: str) -> str:
    """Say which version of the installed code a program runs.

    Args:
        program: The first word of a service's command.

    Returns:
        16 hexadecimal digits: of the lock of the services and, where it is Python, of our packages; empty for a
        program of the machine, whose updates are not ours.
    """
    path = Path(program)
    if path.parent != programs_folder():
        return ""
    packages = () if path.name in _COMPILED else PACKAGES
    return digest(room("locks") / "services.txt", tuple(map(room, packages)))


@cache
def digest(locked: Path, folders: tuple[Path, ...]) -> str:
    """Return one digest of a lock and, where there are folders, of the sources in them and of our modules beside."""
    parts = [_hash(locked)]
    if folders:
        parts += [f"{folder.name} {tree_digest(folder, _SOURCES)}" for folder in folders]
        parts += map(_hash, sorted(Path(files.__file__).parent.glob("*.py")))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
