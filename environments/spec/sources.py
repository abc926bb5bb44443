"""What modules define, read from their source: nothing of them is imported, however heavy they are."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

UNTOLD = frozenset({"*", "__getattr__"})
"""Names by which a module defines others that its source does not tell."""

_HOPS = 8
"""Imports that are followed from where a class is named to where it is defined."""


def installed(module: str) -> Path | None:
    """Return the file of an installed module, Python or compiled; None where there is none."""
    top, _, rest = module.partition(".")
    try:
        # Of a dotted name, it would import the parents.
        found = find_spec(top)
    except (ImportError, ValueError):
        return None
    if found is None or not (rest or found.submodule_search_locations):
        return Path(found.origin) if found and found.origin and Path(found.origin).is_file() else None
    for location in found.submodule_search_locations or ():
        place = Path(location, *rest.split(".")) if rest else Path(location)
        alone = (place.with_name(place.name + end) for end in (".py", *EXTENSION_SUFFIXES))
        for file in (place / "__init__.py", *alone):
            if file.is_file():
                return file
    return None


def in_package(folder: Path, module: str) -> Path | None:
    """Return the file of a module of a package that lies in a folder; None where there is none."""
    top, *rest = module.split(".")
    if not (folder / top).is_dir():
        return None
    place = folder.joinpath(top, *rest)
    return next((one for one in (place / "__init__.py", place.with_suffix(".py")) if one.is_file()), None)


def definitions(file: Path) -> set[str]:
    """Return the names that a module defines or imports at its top level, also where it tries to.

    Raises:
        SyntaxError: It is no Python.
        UnicodeDecodeError: It is no text.
    """
    return set(_bound(file))


def parameters(module: str, name: str) -> frozenset[str] | None:
    """Return what the constructor of an installed class takes, by name.

    None where its source does not tell: it is not installed here, takes others too, or inherits them from elsewhere.
    """
    try:
        return _of_class(installed(module), name, _HOPS)
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None


def _of_class(file: Path | None, name: str, hops: int) -> frozenset[str] | None:
    if file is None or file.suffix != ".py" or not hops:
        return None
    node = _bound(file).get(name)
    if isinstance(node, ast.ImportFrom):
        source = next((one.name for one in node.names if (one.asname or one.name) == name), name)
        return _of_class(_imported(file, node), source, hops - 1)
    if not isinstance(node, ast.ClassDef):
        return None
    made = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    if made is None:
        bases = [one.id for one in node.bases if isinstance(one, ast.Name)]
        return next((found for base in bases if (found := _of_class(file, base, hops - 1)) is not None), None)
    taken = made.args
    return None if taken.kwarg else frozenset(one.arg for one in (*taken.args[1:], *taken.kwonlyargs))


def _imported(file: Path, node: ast.ImportFrom) -> Path | None:
    if not node.level:
        return installed(node.module or "")
    place = file.parents[node.level - 1].joinpath(*(node.module or "").split("."))
    return next((one for one in (place.with_suffix(".py"), place / "__init__.py") if one.is_file()), None)


@cache
def _bound(file: Path) -> dict[str, ast.stmt]:
    return dict(_names(ast.parse(file.read_text(encoding="utf-8")).body))


def _names(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((one.id, node) for one in targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.ImportFrom):
            yield from ((one.asname or one.name, node) for one in node.names)
        elif isinstance(node, ast.Import):
            yield from ((one.asname or one.name.partition(".")[0], node) for one in node.names)
        elif isinstance(node, ast.If | ast.Try):
            handled = [one for handler in getattr(node, "handlers", ()) for one in handler.body]
            yield from _names([*node.body, *handled, *node.orelse, *getattr(node, "finalbody", ())])
