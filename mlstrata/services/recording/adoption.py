"""Takes in what a process left in its spill and never came back to send: a copy, or a system, declared no more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mlstrata.services.recording.record import Record
from mlstrata.services.recording.segments import SUFFIX
from mlstrata.services.recording.shipper import REFUSED_FILE
from mlstrata.services.recording.spill import Spill, SpillError
from mlstrata.services.recording.store import Store
from mlstrata.services.rounds import Rounds

ADOPTED = "mlstrata_recorder_adoption_timestamp_seconds"
_EVERY_S = 60.0
QUIET_SECONDS = 120.0
"""A spill that nobody wrote to for so long may be abandoned; one of a process that is just starting is not."""
_BATCH = 500


class Adopting(Rounds):
    """Looks in rounds for spills that no process has.

    Attributes:
        taken: Records that were taken in since the start.
    """

    def __init__(self, home: Path, store: Store) -> None:
        self._home, self._store = home, store
        self.taken = 0
        super().__init__("adoption", ADOPTED, every=_EVERY_S, first=_EVERY_S)

    def round(self) -> str:
        """Take in what there is; return what went wrong, of whichever spill. The others are taken in all the same."""
        wrong = []
        for folder in quiet(self._home, time.time()):
            try:
                self.taken += adopt(folder, self._store)
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
    """Move what a spill holds into the store, unless a process has it; return how many records there were.

    Raises:
        SpillError: It cannot be read.
        Exception: The store's own; what it has not committed stays in the spill.
    """
    try:
        spill = Spill(folder, wait_s=0.0)
    except SpillError:
        return 0  # its process sends it
    taken = 0
    with closing(spill):
        while (batch := spill.read(_BATCH)).payloads:
            records = list(_readable(batch.payloads, folder))
            store.add(records)
            spill.trim(batch.upto)
            taken += len(records)
    return taken


def _readable(payloads: tuple[bytes, ...], folder: Path) -> Iterator[Record]:
    """Yield the records; what is none, as of another release of ours, is kept beside the spill as a shipper would."""
    for payload in payloads:
        try:
            yield Record.from_bytes(payload)
        except ValueError:
            file = folder / REFUSED_FILE
            file.touch(mode=0o600)
            with file.open("ab") as kept:
                kept.write(payload + b"\n")
