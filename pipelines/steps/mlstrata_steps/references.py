"""What other people's code brings, by reference: `module:name` of a folder of theirs, or of what is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from mlstrata_steps.outcome import StepError


def imported(reference: str, folders: Iterable[Path] = ()) -> Any:
    """Import what `module:name` names.

    A module of a folder is found by its file: its name need not be free among what is installed. It can import its
    neighbours, as the folder is searched last.

    Args:
        reference: `module:name`.
        folders: Where modules are looked for before those that are installed.

    Raises:
        StepError: There is no such module or name, or the module does not import.
    """
    where, _, name = reference.partition(":")
    found = module(where, folders)
    if not hasattr(found, name):
        raise StepError(f"{reference}: {getattr(found, '__file__', where)} has no {name!r}")
    return getattr(found, name)


def module(name: str, folders: Iterable[Path] = ()) -> ModuleType:
    """Import a module of a folder, else an installed one.

    Raises:
        StepError: There is no such module, or it does not import.
    """
    try:
        return _of_folders(name, folders) or import_module(name)
    except Exception as error:
        raise StepError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


def _of_folders(module: str, folders: Iterable[Path]) -> ModuleType | None:
    for folder in folders:
        file = folder / f"{module.replace('.', '/')}.py"
        if not file.is_file():
            continue
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
        spec = spec_from_file_location(module, file)
        if spec is None or spec.loader is None:
            return None
        loaded = module_from_spec(spec)
        sys.modules[module] = loaded
        spec.loader.exec_module(loaded)
        return loaded
    return None
