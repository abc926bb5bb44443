"""The doors for pipelines and learners of one's own: what a file names is looked up in it without running any of it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from mlstrata.environments.spec.base import Problem, suggestion


@dataclass(frozen=True)
class Door:
    """One way to bring something of one's own: by a name or as `module:name`.

    Attributes:
        field: The field of `model` that names it.
        folder: The workspace's folder of modules.
        group: The group of entry points, by whose names installed distributions bring it.
        shipped: The names that come with mlstrata.
    """

    field: str
    folder: str
    group: str
    shipped: tuple[str, ...]

    def entry(self, name: str) -> EntryPoint | None:
        """Return the entry point of this name; None where no distribution has one."""
        return next(iter(entry_points(group=self.group, name=name)), None)

    def reference(self, name: str) -> str:
        """Return a name as `module:name`; empty for what is shipped or unknown."""
        if ":" in name or name in self.shipped:
            return name if ":" in name else ""
        found = self.entry(name)
        return found.value if found else ""

    def unknown_name(self, name: str) -> Problem | None:
        """Say that nothing installed has this name; None where something has, or where it is `module:name`."""
        if ":" in name or name in self.shipped or self.entry(name):
            return None
        allowed = [*self.shipped, *sorted(one.name for one in entry_points(group=self.group))]
        return self._refused(name, f"{', '.join(allowed)}, or MODULE:NAME of {self.folder}/", suggestion(name, allowed))

    def unknown_reference(self, name: str, root: Path) -> Problem | None:
        """Say that a workspace and what is installed have no such `module:name`; None for other names."""
        module, colon, attribute = name.partition(":")
        if not colon:
            return None
        folder = root / self.folder
        file = self.file(module, root)
        if file is None:
            modules = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
            has = f" ({', '.join(modules)})" if modules else ""
            allowed = f"a module of {folder}{has}, or one that is installed"
            return self._refused(name, allowed, suggestion(module, modules))
        try:
            names = sorted(_top_level(file.read_text(encoding="utf-8")))
        except (SyntaxError, UnicodeDecodeError) as error:
            return Problem((self.field,), f"got '{name}'; {file} is no Python: {error}", "mend it")
        if attribute in names:
            return None
        return self._refused(name, f"what {file} defines at its top level", suggestion(attribute, names))

    def file(self, module: str, root: Path) -> Path | None:
        """Return the file of a module: the workspace's, else an installed one; None where there is none."""
        own = root / self.folder / f"{module.replace('.', '/')}.py"
        if own.is_file():
            return own
        try:
            found = find_spec(module)
        except (ImportError, ValueError):
            return None
        return Path(found.origin) if found and found.origin and found.origin.endswith(".py") else None

    def _refused(self, name: str, allowed: str, hint: str) -> Problem:
        return Problem((self.field,), f"got '{name}'; allowed {allowed}", hint or "name one of these")


def _top_level(source: str) -> set[str]:
    """Return the names that a module defines or imports at its top level.

    Raises:
        SyntaxError: It is no Python.
    """
    found: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {one.id for one in targets if isinstance(one, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(one.asname or one.name).partition(".")[0] for one in node.names}
    return found
