"""Takes in what a process left in its spill and never came back to send: a copy, or a system, declared no more."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from mlstrata.services.recording.names import ADOPTED
from mlstrata.services.recording.record import Record
from mlstrata.services.recording.segments import SUFFIX
from mlstrata.services.recording.spill import Spill
from mlstrata.services.recording.spill_folder import SpillHeldError, set_aside
from mlstrata.services.recording.store import Store
from mlstrata.services.rounds import Rounds

_EVERY_S = 60.0
QUIET_SECONDS = 120.0
"""A spill that nobody wrote to for so long may be abandoned; one of a process that is just starting is not."""


class Adopting(Rounds):
    """Looks in rounds for spills that no process has."""

    def __init__(self, home: Path, store: Store) -> None:
        self._home, self._store = home, store
        super().__init__("adoption", ADOPTED, every=_EVERY_S, first=_EVERY_S)

    def round(self) -> str:
        """Take in what there is; return what went wrong, of whichever spill. The others are taken in all the same."""
        wrong = []
        for folder in quiet(self._home, time.time()):
            try:
                adopt(folder, self._store)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other spills and the next round must come
                wrong.append(f"{folder}: {type(error).__name__}: {error}")
        return "; ".join(wrong)


def quiet(home: Path, now: float) -> Iterator[Path]:
    """Yield the spills, of whichever system, that hold something and that nobody wrote to lately."""
    for folder in sorted(home.glob("data/serving/*/spill/*")):
        try:
            written = [one.stat().st_mtime for one in folder.glob(f"*{SUFFIX}")]
        except OSError:
            continue  # its process is removing what was committed
        if written and now - max(written) > QUIET_SECONDS:
            yield folder


def adopt(folder: Path, store: Store) -> int:
    """Take in what a spill holds, unless a process has it; return how many records there were.

    Raises:
        SpillError: It cannot be read.
        Exception: The store's own; what it has not committed stays in the spill.
    """
    try:
        return drain(folder, store)
    except SpillHeldError:
        return 0  # its process sends it


def drain(folder: Path, store: Store) -> int:
    """Move what a spill holds into the store, and remove it there; return how many records there were.

    What is no record, as of another release of ours, is kept beside the spill, as the recorder's refusals are.

    Raises:
        SpillHeldError: A process has it.
        SpillError: It cannot be read.
        Exception: The store's own; what it has not committed stays in the spill.
    """
    taken = 0
    with closing(Spill(folder, wait_s=0.0)) as spill:
        while (batch := spill.read()).payloads:
            records, others = _read(batch.payloads)
            store.add(records)
            if others:
                set_aside(folder, others)
            spill.trim(batch.upto)
            taken += len(records)
        # Also of what was committed before, and not removed yet.
        spill.trim(batch.upto)
    return taken


def _read(payloads: Sequence[bytes]) -> tuple[list[Record], list[bytes]]:
    """Tell records from what is none."""
    records: list[Record] = []
    others: list[bytes] = []
    for payload in payloads:
        try:
            records.append(Record.from_bytes(payload))
        except ValueError:
            others.append(payload)
    return records, others
