"""A spill's folder: who has it, how far the store has committed it, and what its parts are called."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mlstrata.files import locked

WATERMARK = "committed"
LOCK = "lock"
REFUSED = "refused.jsonl"
"""Records that the recorder does not take, such as those of another release of ours."""


class SpillError(Exception):
    """A record cannot be kept, or the spill cannot be used."""


class SpillHeldError(SpillError):
    """Another process has the spill."""


class SpillFullError(SpillError):
    """A record cannot be kept: the disk is full, or the spill's own limit is reached."""


class Durability(StrEnum):
    """Axis: what an acknowledged record outlives."""

    GROUP = "group"
    INTERVAL = "interval"


@dataclass(frozen=True)
class Batch:
    """Records in order.

    Attributes:
        payloads: The records.
        upto: What to tell `trim` once they are committed: the number after the last one.
    """

    payloads: tuple[bytes, ...]
    upto: int


def held(path: Path, seconds: float) -> ExitStack:
    """Take the lock of a folder, which falls with the process, or when what is returned is closed.

    Raises:
        SpillHeldError: Another process has it after so many seconds.
        OSError: It cannot be opened.
    """
    until = time.monotonic() + seconds
    while True:
        with ExitStack() as lock, suppress(BlockingIOError):
            lock.enter_context(locked(path, wait=False))
            return lock.pop_all()
        if time.monotonic() >= until:
            raise SpillHeldError(f"{path.parent}: another process has it")
        time.sleep(0.05)


def set_aside(folder: Path, payloads: Sequence[bytes]) -> Path:
    """Keep records that will never be taken beside a spill; return the file.

    Raises:
        OSError: It cannot be written.
    """
    file = folder / REFUSED
    file.touch(mode=0o600)
    with file.open("ab") as kept:
        kept.writelines(one + b"\n" for one in payloads)
    return file


def note(path: Path, number: int) -> None:
    """Write the watermark down.

    Raises:
        OSError: It cannot be written.
    """
    # Not synced: an older one only has records sent again.
    beside = path.with_name(f".{path.name}")
    beside.write_text(f"{number}\n", encoding="ascii")
    beside.replace(path)


def noted(path: Path) -> int:
    """Return the watermark as it was written down; 0 where it was not."""
    with suppress(OSError, ValueError):
        return max(0, int(path.read_text(encoding="ascii")))
    return 0
