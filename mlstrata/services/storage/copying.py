"""Copies all artifacts from one store to another, and proves it.

Nothing is remembered between two runs but the stores themselves: whatever cut a run off, the next one compares both by
their bytes and goes on with what is missing. So there is no point at which it must not be killed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlstrata.services.storage.stores import Artifacts, StorageError

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Copied:
    """What a pass did.

    Attributes:
        artifacts: how many there are.
        size: their bytes.
        written: how many this pass wrote; the others were there already.
        removed: how many the target had that the source has no more.
        digests: SHA-256 by name, the same on both sides.
    """

    artifacts: int
    size: int
    written: int
    removed: int
    digests: dict[str, str]


def copy(source: Artifacts, target: Artifacts, tell: Tell = lambda _done, _all: None) -> Copied:
    """Make `target` hold what `source` does, byte by byte, and nothing else.

    Args:
        source: not changed.
        target: read back after each write.
        tell: called with how many are done, and how many there are.

    Raises:
        StorageError: what was read back is not what was written, or the source changes under the copy.
    """
    wanted, there = source.sizes(), target.sizes()
    written = 0
    digests: dict[str, str] = {}
    for done, name in enumerate(sorted(wanted)):
        tell(done, len(wanted))
        digest = source.digest(name)
        if there.get(name) != wanted[name] or target.digest(name) != digest:
            with source.open(name) as file:
                target.write(name, file)
            written += 1
            if target.digest(name) != digest:
                raise StorageError(f"{name}: what was read back is not what was written; nothing was switched")
        digests[name] = digest
    extra = sorted(there.keys() - wanted.keys())
    for name in extra:
        # Deleted at the source since an earlier pass: it must not come back to life.
        target.remove(name)
    tell(len(wanted), len(wanted))
    return Copied(len(wanted), sum(wanted.values()), written, len(extra), digests)


def empty(store: Artifacts, digests: Mapping[str, str]) -> int:
    """Remove from a store what was proved to be elsewhere.

    Args:
        store: the one that is given up.
        digests: SHA-256 by name of what the other one was proved to hold.

    Returns:
        How many artifacts were removed.

    Raises:
        StorageError: one was not proved as it is; nothing is removed then.
    """
    names = sorted(store.sizes())
    if unproved := [name for name in names if digests.get(name) != store.digest(name)]:
        shown = ", ".join(unproved[:3])
        raise StorageError(f"{len(unproved)} artifacts came to the old store after the copy, such as {shown}")
    for name in names:
        store.remove(name)
    return len(names)
