"""The lock of a system's own requirements: what it pins, and whether each is held by a hash."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")
COMPILE = "uv pip compile --generate-hashes"


class RequirementsError(Exception):
    """A lock cannot be used; the message names the file and the fix."""


class Pin(NamedTuple):
    """One distribution that a lock names.

    Attributes:
        version: Its version.
        lines: Its lines in the lock, hashes among them, as an installer takes them.
    """

    version: str
    lines: str


def read(path: Path) -> dict[str, Pin]:
    """Read a lock: normalised name to what it pins.

    Raises:
        RequirementsError: It is not there, is empty, or an entry is no version held by a hash.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequirementsError(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from error
    fix = f"write it by `{COMPILE} {path.with_suffix('.in').name} -o {path.name}`"
    found: dict[str, Pin] = {}
    for number, entry in _entries(text):
        named = _PIN.match(entry)
        if named is None:
            got = entry.splitlines()[0][:80]
            if "://" in entry:
                # It may be the address of an index, with the token that opens it.
                got = f"{got.partition('://')[0].rpartition(' ')[0]} …".lstrip()
            raise RequirementsError(f"{path}:{number}: got {got!r}; allowed NAME==VERSION; {fix}")
        if "--hash=sha256:" not in entry:
            raise RequirementsError(f"{path}:{number}: {named[1]} has no hash; {fix}")
        found[re.sub(r"[-_.]+", "-", named[1]).lower()] = Pin(named[2], entry)
    if not found:
        raise RequirementsError(f"{path} pins nothing; {fix}, or remove model.requirements")
    return found


def sha256_of(path: Path) -> str:
    """Return what a file's bytes come to; `missing` where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "missing"


def _entries(text: str) -> list[tuple[int, str]]:
    """Split a lock into its entries, each with the number of its first line and without its comments."""
    found: list[tuple[int, str]] = []
    goes_on = False
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.split(" #")[0].rstrip() if not line.lstrip().startswith("#") else ""
        if not bare.strip():
            continue
        if goes_on or line[0] in " \t":
            first, entry = found.pop() if found else (number, "")
            found.append((first, f"{entry}{bare}\n"))
        else:
            found.append((number, f"{bare}\n"))
        goes_on = bare.endswith("\\")
    return found
