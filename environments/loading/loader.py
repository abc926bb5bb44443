"""Loads an environment file: a spec, or every error at once."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlstrata.environments.loading import document
from mlstrata.environments.loading.document import Key, Malformed, Node
from mlstrata.environments.loading.errors import SpecError, SpecErrors
from mlstrata.environments.loading.translate import Finding, translate
from mlstrata.environments.redaction import path_of, shown
from mlstrata.environments.spec.base import CONTRADICTION, MOST_PROBLEMS
from mlstrata.environments.spec.environment import EnvironmentSpec
from mlstrata.environments.spec.references import check_references

LARGEST_FILE = 1 << 20
_PATH = re.compile(r"([a-z_]+(?:\[\d+\]|\.[a-z_]+)*): ")


@dataclass(frozen=True)
class Loaded:
    """A spec and the places its parts come from.

    Attributes:
        spec: the environment.
        file: the file, as messages show it.
    """

    spec: EnvironmentSpec
    file: str
    _root: Node

    def place(self, path: tuple[Key, ...]) -> tuple[int, int]:
        """Return line and column (from 1) of `path`, or of its nearest parent that the file writes."""
        return document.place(self._root, path)

    def error(self, problem: str) -> SpecError:
        """Return a problem that may start with its path (`systems[0].risk.tier: …`) with its place in the file."""
        found = _PATH.match(problem)
        if found is None:
            return SpecError(self.file, 0, 0, "", problem)
        keys = tuple(int(key) if key.isdigit() else key for key in re.findall(r"[a-z_]+|\d+", found[1]))
        return SpecError(self.file, *self.place(keys), found[1], problem[found.end() :])


def load(path: Path) -> EnvironmentSpec:
    """Load the environment file `path`.

    Raises:
        SpecErrors: the file cannot be read or is no valid environment; it carries every error found.
    """
    return load_with_places(path).spec


def load_with_places(path: Path) -> Loaded:
    """Load the environment file `path`, and keep the line of every part for whoever judges it later.

    Raises:
        SpecErrors: as `load`.
    """
    file = _display(path)
    return loads(_read(path, file), file, path.stem)


def loads(content: bytes, file: str, name: str | None = None) -> Loaded:
    """Load an environment from bytes.

    Args:
        content: the YAML, in UTF-8.
        file: what messages call it.
        name: the name the environment must have; None: any.

    Raises:
        SpecErrors: as `load`.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"byte {error.start + 1} is not UTF-8"
        raise SpecErrors([SpecError(file, line, 1, "", problem, fix="save the file as UTF-8")]) from None
    try:
        root = document.parse(text)
    except Malformed as error:
        raise SpecErrors([SpecError(file, *error.mark, "", error.what, fix=error.fix)]) from None
    repeated = islice(document.repetitions(root), MOST_PROBLEMS)
    errors = [SpecError(file, *f.mark, path_of(f.path), f.what, fix=f.fix) for f in repeated]
    if root.kind != "mapping":
        got = shown(document.to_data(root))
        fix = "write name, target, stage and systems as `key: value`"
        errors.append(SpecError(file, *root.mark, "", f"got {got}", got, "a mapping (key: value)", fix))
        raise SpecErrors(errors)
    data = document.to_data(root)
    assert isinstance(data, dict)  # noqa: S101 - a mapping's data is one
    spec, findings = _validate(data)
    if name is not None and isinstance(data.get("name"), str) and data["name"] != name:
        problem = f"got {shown(data['name'])}, but the file is called {name!r}"
        findings.append(Finding(("name",), problem, shown(data["name"]), "", "give both the same name"))
    errors += [
        SpecError(file, *document.place(root, f.path), path_of(f.path), f.problem, f.value, f.allowed, f.fix)
        for f in findings
    ]
    if spec is None or errors:
        raise SpecErrors(errors)
    return Loaded(spec, file, root)


def _validate(data: dict[str, Any]) -> tuple[EnvironmentSpec | None, list[Finding]]:
    try:
        return EnvironmentSpec.model_validate(data), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        translated = (finding for detail in details for finding in translate(detail, EnvironmentSpec, data))
        findings = list(islice(translated, MOST_PROBLEMS))
        whole = any(detail["type"] == CONTRADICTION and not detail["loc"] for detail in details)
        if not whole:
            # The references are checked last, and only in a spec without other errors; show those too.
            broken = islice(check_references(data), MOST_PROBLEMS)
            findings += [Finding(p.at, p.what, fix=p.fix) for p in broken]
        return None, _told_once(findings)


def _told_once(findings: list[Finding]) -> list[Finding]:
    """Leave out that a key is missing where a mistyped one, told already, was meant to be it."""
    meant = {(*one.path[:-1], one.fix) for one in findings if one.problem.startswith("unknown key")}
    return [
        one
        for one in findings
        if one.problem != "is missing" or (*one.path[:-1], f"did you mean '{one.path[-1]}'?") not in meant
    ]


def _display(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd().resolve()))
    except (ValueError, OSError):
        return str(path)


def _read(path: Path, file: str) -> bytes:
    try:
        # O_NONBLOCK: a pipe in the file's place must not hang the command.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            problem = _unfit(os.fstat(descriptor))
            content = b"" if problem else _all(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        problem = ("does not exist", "write it, or name one that does")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        problem = (f"cannot be read: {reason}", "make it readable for you")
    if problem:
        raise SpecErrors([SpecError(file, 0, 0, "", problem[0], fix=problem[1])])
    return content


def _unfit(status: os.stat_result) -> tuple[str, str] | None:
    if not stat.S_ISREG(status.st_mode):
        return "is not a file", "name a YAML file"
    if status.st_size > LARGEST_FILE:
        size = f"{status.st_size / 2**20:.1f} MiB"
        return f"has {size}, more than an environment needs (1 MiB)", "keep data out of the file"
    return None


def _all(descriptor: int) -> bytes:
    """Read to the end; a file that grows meanwhile is cut, and then does not parse."""
    with os.fdopen(descriptor, "rb", closefd=False) as stream:
        return stream.read(LARGEST_FILE)
