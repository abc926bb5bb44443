"""Where the running installation lies: its programs, its locks and its own Pulumi program."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def programs_folder() -> Path:
    """Return the folder of the programs installed beside this interpreter, by one path even if a link led to it."""
    return Path(sys.prefix).resolve() / "bin"


def interpreter() -> Path:
    """Return this installation's Python, by one path however it was called: `python3` and `python` are one service."""
    return programs_folder() / "python"


def room(name: str) -> Path:
    """Return the folder of a package of `mlstrata`, such as `stacks`: in a checkout or among what is installed.

    Raises:
        ModuleNotFoundError: There is no such package.
    """
    spec = find_spec(f"mlstrata.{name}")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"mlstrata.{name} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def lock() -> Path:
    """Return the hashed lock of what training, scoring and serving run with."""
    return room("locks") / "services.txt"
