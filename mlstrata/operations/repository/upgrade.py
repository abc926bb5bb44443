"""`mlstrata upgrade`: what the installed version asks of a repository that was made with an older one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from mlstrata.environments import Workspace
from mlstrata.operations.errors import UsageError

CHANGES = Path(__file__).with_name("changes.yaml")
RECORD = ".mlstrata-version"
_TABLE = re.compile(r'(?m)^(\[tool\.mlstrata\]\n(?:(?!\[).*\n)*?version\s*=\s*)"[^"\n]*"')
_SKIPPED = frozenset({".git", ".venv", ".mlstrata", ".pulumi", "node_modules", "site-packages"})


@dataclass(frozen=True)
class Change:
    """Something that a version changed for repositories.

    Attributes:
        version: The version that changed it.
        date: The day of that version.
        what: What is other than before.
        do: What a repository does about it.
        places: `file:line` of what it concerns here; empty: nothing here needs it.
    """

    version: str
    date: str
    what: str
    do: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class Upgrade:
    """What lies between the version that a repository records and the installed one.

    Attributes:
        recorded: The repository's.
        installed: This installation's.
        changes: What changed between, newest first.
    """

    recorded: str
    installed: str
    changes: tuple[Change, ...]

    @property
    def open(self) -> tuple[Change, ...]:
        """Return the changes that something in the repository still waits for."""
        return tuple(change for change in self.changes if change.places)


def check(workspace: Workspace) -> Upgrade:
    """Compare a repository with the installed version; changes nothing.

    Raises:
        UsageError: It records no version, none that can be compared, or a newer one than is installed.
    """
    import yaml

    recorded, installed = _recorded(workspace.root), Version(version("mlstrata"))
    if recorded > installed:
        raise UsageError(
            f"{workspace.root}: records version {recorded} of mlstrata, and the older {installed} is installed; "
            f"install {recorded} or a newer one"
        )
    entries: list[dict[str, Any]] = yaml.safe_load(CHANGES.read_text(encoding="utf-8"))
    between = [one for one in entries if recorded < Version(str(one["version"])) <= installed]
    changes = [
        Change(
            str(entry["version"]),
            str(entry["date"]),
            change["what"],
            change["do"],
            tuple(_places(workspace.root, change["in"], change["pattern"])),
        )
        for entry in sorted(between, key=lambda one: Version(str(one["version"])), reverse=True)
        for change in entry["changes"]
    ]
    return Upgrade(str(recorded), str(installed), tuple(changes))


def record(workspace: Workspace) -> Path:
    """Note the installed version in the repository, where it keeps it.

    Returns:
        The file.
    """
    project, text = workspace.root / "pyproject.toml", version("mlstrata")
    if project.is_file():
        noted, count = _TABLE.subn(rf'\g<1>"{text}"', project.read_text(encoding="utf-8"))
        if count:
            project.write_text(noted, encoding="utf-8")
            return project
    target = workspace.root / RECORD
    target.write_text(text + "\n", encoding="utf-8")
    return target


def _recorded(root: Path) -> Version:
    project, own = root / "pyproject.toml", root / RECORD
    noted: object = None
    where = own
    if project.is_file():
        try:
            noted = (
                tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}).get("mlstrata", {}).get("version")
            )
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{project}: no TOML: {error}; mend it") from None
        where = project if noted else own
    if noted is None and own.is_file():
        noted = own.read_text(encoding="utf-8").strip()
    if noted is None:
        raise UsageError(
            f"{root}: records no version of mlstrata; write the one that it was last used with into {own.name}, or as "
            "`version` under [tool.mlstrata] in pyproject.toml"
        )
    try:
        return Version(str(noted))
    except InvalidVersion:
        raise UsageError(f"{where}: version: got {noted!r}; allowed a version such as 0.1.0") from None


def _places(root: Path, glob: str, pattern: str) -> Iterator[str]:
    """Yield where the files of a repository have what a change is about."""
    found = re.compile(pattern)
    for path in sorted(root.glob(glob)):
        inside = path.relative_to(root)
        if _SKIPPED & set(inside.parts) or not path.is_file():
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        yield from (f"{inside}:{number}" for number, line in enumerate(lines, 1) if found.search(line))
