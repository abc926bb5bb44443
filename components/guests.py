"""Capabilities from elsewhere: a workspace's `capabilities/*.py`, and entry points `mlstrata.capabilities`.

Each is a module that calls `mlstrata.components.capability.register` when it is imported; an entry point may also name
a function, which is called. They are loaded before a file is read, since it may switch them on by name.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from mlstrata.components import capability
from mlstrata.environments import Workspace, WorkspaceError
from mlstrata.environments.spec.base import suggestion

FOLDER, GROUP = "capabilities", "mlstrata.capabilities"
_OF: dict[Path, tuple[str, ...]] = {}
"""Folder of a workspace -> the capabilities that it has registered; there is one workspace at a time."""


def load(workspace: Workspace) -> None:
    """Register what a workspace and installed distributions bring; another time it changes nothing.

    Raises:
        WorkspaceError: A module does not import, or what it declares is refused; one line with the file and line.
    """
    folder = workspace.root / FOLDER
    if folder in _OF:
        return
    for other, names in [*_OF.items()]:
        _forget(other, names)
    before = _names()
    try:
        _load(folder)
        _require_builders(folder, _names() - before)
    except WorkspaceError:
        _forget(folder, _names() - before)
        raise
    _OF[folder] = tuple(_names() - before)


def loaded(workspace: Workspace) -> tuple[str, ...]:
    """Return the capabilities that were registered for a workspace."""
    return _OF.get(workspace.root / FOLDER, ())


def _forget(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        capability.withdraw(name)
    for name, module in [*sys.modules.items()]:
        if (file := getattr(module, "__file__", None)) and Path(file).parent == folder:
            del sys.modules[name]
    if str(folder) in sys.path:
        sys.path.remove(str(folder))
    _OF.pop(folder, None)


def _load(folder: Path) -> None:
    for point in entry_points(group=GROUP):
        try:
            loaded = point.load()
            if callable(loaded):
                loaded()
        except Exception as error:
            raise WorkspaceError(f"entry point {point.name} = {point.value}: {_said(error)}") from error
    for file in _files(folder):
        _imported(file)


def _require_builders(folder: Path, names: set[str]) -> None:
    """Refuse a capability whose builder its file lacks: now, and not when it is built.

    Raises:
        WorkspaceError: There is one.
    """
    for one in capability.known():
        for builder in (one.local, one.kubernetes, one.aws) if str(one.name) in names else ():
            if builder is None or not builder.build:
                continue
            module, _, function = builder.build.partition(":")
            file = folder / f"{module}.py"
            if file.is_file() and not callable(getattr(sys.modules.get(module), function, None)):
                there = [name for name, value in vars(sys.modules[module]).items() if callable(value)]
                hint = suggestion(function, there) or f"define it, or name one that {file.name} defines"
                raise WorkspaceError(f"{file}: capability {str(one.name)!r}: got builder {builder.build!r}; {hint}")


def _names() -> set[str]:
    return {str(one.name) for one in capability.known()}


def _files(folder: Path) -> Iterator[Path]:
    found = sorted(file for file in folder.glob("*.py") if not file.name.startswith(("_", "test_")))
    if found and str(folder) not in sys.path:
        sys.path.append(str(folder))  # last: a builder is `module:function` of it, and no name of ours may change
    return iter(found)


def _imported(file: Path) -> None:
    there = sys.modules.get(file.stem)
    if file.stem in sys.stdlib_module_names or (there and getattr(there, "__file__", None) != str(file)):
        raise WorkspaceError(f"{file}: another module is called {file.stem!r}; give the file another name")
    spec = spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise WorkspaceError(f"{file}: cannot be imported")
    module = module_from_spec(spec)
    sys.modules[file.stem] = module  # a builder is found by this name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[file.stem]
        lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == str(file)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        raise WorkspaceError(f"{file}{f':{line}' if line else ''}: {_said(error)}") from error


def _said(error: Exception) -> str:
    return f"cannot be loaded: {type(error).__name__}: {' '.join(str(error).split())}"
