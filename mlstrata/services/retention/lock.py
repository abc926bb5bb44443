"""What keeps a folder of jobs' data as it is while a job uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlstrata import files

NAME = ".in-use"
"""The file of the lock, in the folder of a system's runs or scores."""


@contextmanager
def in_use(workdir: Path) -> Iterator[None]:
    """Have nothing of a system's runs or scores removed until the block ends; several jobs may run at once.

    A job that begins while something is being removed waits for some renames, not for the deletion.
    """
    with files.locked(workdir / NAME, shared=True):
        yield
