"""The modules of a package, by its folders: nobody lists them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Import and yield every module of a package and of the packages in it, in the order of their names."""
    for found in iter_modules(package.__path__, f"{package.__name__}."):
        module = import_module(found.name)
        yield from modules(module) if found.ispkg else [module]
