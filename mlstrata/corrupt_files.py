"""How a file that only we write is told to be damaged."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError


def damaged(path: Path, writer: str, error: ValidationError) -> str:
    """Say in one sentence which file it is, who writes it, the first thing that is wrong in it, and what to do."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "as a whole"
    found = f"{where}: {first['msg'].removeprefix('Value error, ')}"
    return f"{path}: not what a {writer} writes ({found}); restore it from a backup"
