"""Which code a local service runs: another version of it is another definition, so `up` restarts what runs it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from mlstrata.environments.installation import programs_folder, room

PACKAGES = ("environments", "pipelines", "services")
"""What services import, and pipelines for them."""
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
    return digest(room("locks"), tuple(room(name) for name in PACKAGES) if path.name not in _COMPILED else ())


@cache
def digest(locks: Path, folders: tuple[Path, ...]) -> str:
    """Return one digest of the lock of the services and of the sources beneath some folders, by their names there."""
    files = [(locks.parent, locks / "services.txt")]
    files += [(folder.parent, path) for folder in folders for path in folder.rglob("*") if path.suffix in _SOURCES]
    found = hashlib.sha256()
    for base, path in sorted(files, key=lambda one: one[1].relative_to(one[0])):
        found.update(path.relative_to(base).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]
