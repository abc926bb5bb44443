"""The doors for pipelines and learners of one's own: what a file names is looked up in it without running any of it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import Problem, suggestion
from mlstrata.environments.spec.sources import UNTOLD, definitions, in_package, installed


@dataclass(frozen=True)
class Door:
    """One way to bring something of one's own: by a name or as `module:name`.

    Attributes:
        field: The field of `model` that names it.
        folder: The workspace's folder of modules.
        group: The group of entry points, by whose names installed distributions bring it.
        shipped: The names that come with mlstrata.
        dotted: Whether `module.name` is taken for `module:name`.
        packages: Whether modules are those of packages in the folder or its `src`, and no installed ones.
    """

    field: str
    folder: str
    group: str
    shipped: tuple[str, ...]
    dotted: bool = False
    packages: bool = False

    def entry(self, name: str) -> EntryPoint | None:
        """Return the entry point of this name; None where no distribution has one."""
        return next(iter(entry_points(group=self.group, name=name)), None)

    def reference(self, name: str) -> str:
        """Return a name as `module:name`; empty for what is shipped or unknown."""
        if name in self.shipped:
            return ""
        if ":" not in name and (found := self.entry(name)):
            return found.value
        if self.dotted and ":" not in name and "." in name:
            return ":".join(name.rsplit(".", 1))
        return name if ":" in name else ""

    def unknown_name(self, name: str) -> Problem | None:
        """Say that nothing installed has this name; None where something has, or where it is `module:name`."""
        if name in self.shipped or self.reference(name):
            return None
        allowed = [*self.shipped, *sorted(one.name for one in entry_points(group=self.group))]
        return self._refused(name, f"{', '.join(allowed)}, or MODULE:NAME of {self.folder}/", suggestion(name, allowed))

    def unknown_reference(self, name: str, root: Path) -> Problem | None:
        """Say that a workspace and what is installed have no such `module:name`; None for other names."""
        module, colon, attribute = self.reference(name).partition(":")
        if not colon or (":" not in name and self.entry(name)):
            return None
        file = self.file(module, root)
        if file is None:
            return self._unknown_module(name, module, root)
        if file.suffix != ".py":
            return None  # compiled: only its import would tell
        try:
            names = definitions(file)
        except (SyntaxError, UnicodeDecodeError) as error:
            return Problem((self.field,), f"got {shown(name)}; {file} is no Python: {error}", "mend it")
        if attribute in names or not names.isdisjoint(UNTOLD):
            return None
        return self._refused(name, f"what {file} defines at its top level", suggestion(attribute, sorted(names)))

    def _unknown_module(self, name: str, module: str, root: Path) -> Problem:
        if self.packages:
            known = sorted({one.parent.name for place in self._folders(root) for one in place.glob("*/*.py")})
            where, otherwise, nearest = f"a package in {root}", "", suggestion(module.partition(".")[0], known)
        else:
            folder = root / self.folder
            known = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
            where, otherwise, nearest = str(folder), ", or one that is installed", suggestion(module, known)
        has = f" ({', '.join(known)})" if known else ""
        return self._refused(name, f"a module of {where}{has}{otherwise}", nearest)

    def file_of(self, name: str, root: Path) -> Path | None:
        """Return the file of what is named as `module:name`; None where there is none."""
        return self.file(self.reference(name).partition(":")[0], root)

    def file(self, module: str, root: Path) -> Path | None:
        """Return the file of a module: the workspace's, else an installed one; None where there is none."""
        if self.packages:
            return next((found for one in self._folders(root) if (found := in_package(one, module))), None)
        own = root / self.folder / f"{module.replace('.', '/')}.py"
        return own if own.is_file() else installed(module)

    def package(self, module: str, root: Path) -> Path | None:
        """Return the folder of the workspace's package that a module is of; None where there is none."""
        top = module.partition(".")[0]
        return next((one / top for one in self._folders(root) if in_package(one, module)), None)

    def _folders(self, root: Path) -> tuple[Path, Path]:
        return root / self.folder, root / self.folder / "src"

    def _refused(self, name: str, allowed: str, hint: str) -> Problem:
        return Problem((self.field,), f"got {shown(name)}; allowed {allowed}", hint or "name one of these")
