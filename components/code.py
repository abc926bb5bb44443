"""Which code a local service runs: another version of it is another definition, so `up` restarts what runs it."""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path

from components.binaries import runtime_folder

PACKAGES = ("environments", "pipelines", "services")
"""What services import, and pipelines for them."""
_SOURCES = frozenset({".py", ".html", ".css"})
_COMPILED = frozenset({"envoy"})


def version(program: str, code: Path) -> str:
    """Say which version of the checkout's code a program runs.

    Args:
        program: The first word of a service's command.
        code: The checkout.

    Returns:
        16 hexadecimal digits: of the lock that its environment was installed from and, where it is Python, of our
        packages; empty for a program of the machine, whose updates are not ours.
    """
    path = Path(program)
    if path.parent == runtime_folder(code):
        lock = "runtime"
    elif program == sys.executable:
        lock = "program"
    else:
        return ""
    return _digest(code, lock, sources=path.name not in _COMPILED)


@cache
def _digest(code: Path, lock: str, *, sources: bool) -> str:
    files = [code / "locks" / f"{lock}.txt"]
    if sources:
        files += [path for name in PACKAGES for path in (code / name).rglob("*") if path.suffix in _SOURCES]
    found = hashlib.sha256()
    for path in sorted(files):
        content = hashlib.sha256(path.read_bytes()).digest()
        found.update(path.relative_to(code).as_posix().encode() + b"\0" + content)
    return found.hexdigest()[:16]
