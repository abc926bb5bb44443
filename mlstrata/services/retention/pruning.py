"""Removes what has been kept long enough.

What is to go is renamed while nobody uses it and deleted after that, so a round that is killed leaves the whole of a
thing, or something that the next one removes; nobody who predicts, trains or scores waits for a deletion.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mlstrata import files
from mlstrata.services.own_environment import FOLDER as ENVIRONMENTS
from mlstrata.services.retention.kept import BY_SYSTEM, Item, Needs, items
from mlstrata.services.retention.lock import NAME
from mlstrata.services.retention.settings import RetentionSettings
from mlstrata.services.retention.walking import DOOMED, children, inside, left, measured


@dataclass(frozen=True)
class Pruned:
    """What a round did.

    Attributes:
        removed: How many things are gone.
        size: Their bytes.
        busy: Folders that somebody uses; the next round looks again.
        failed: What could not be removed, and why.
    """

    removed: int = 0
    size: int = 0
    busy: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def prune(settings: RetentionSettings, needs: Needs, now: float) -> Pruned:
    """Remove what may go by `now`, and what an earlier round was cut off at. Doing it again removes nothing more."""
    done = Pruned()
    for place in _places(settings.home):
        for path in left(settings.home, place):
            done = _deleted(done, path, 0)
    by_lock: dict[Path, list[Item]] = {}
    for item in items(settings, needs):
        if item.until is not None and item.until <= now:
            by_lock.setdefault(_lock_of(settings.home, item), []).append(item)
    for lock, due in by_lock.items():
        done = _removed(settings.home, lock, due, done)
    return done


def _removed(home: Path, lock: Path, due: Iterable[Item], done: Pruned) -> Pruned:
    doomed: list[tuple[Path, int]] = []
    try:
        with _unused(lock):
            for item in due:
                # Used once more since it was looked at: it is young again.
                if inside(home, item.place) is None or measured(item.path).changed > item.changed:
                    continue
                doomed += [(_doom(one), 0) for one in item.beside if one.is_file() and not one.is_symlink()]
                with suppress(FileNotFoundError):
                    doomed.append((_doom(item.path), item.size))
    except BlockingIOError:
        done = replace(done, busy=(*done.busy, str(lock.parent)))
    except OSError as error:
        done = replace(done, failed=(*done.failed, str(error)))
    for path, size in doomed:
        done = _deleted(done, path, size)
    return done


def _doom(path: Path) -> Path:
    return path.rename(path.with_name(f"{path.name}{DOOMED}"))


def _deleted(done: Pruned, path: Path, size: int) -> Pruned:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        return replace(done, failed=(*done.failed, str(error)))
    return replace(done, removed=done.removed + 1, size=done.size + size)


@contextmanager
def _unused(lock: Path) -> Iterator[None]:
    """Hold what jobs and processes hold while they use something.

    Raises:
        BlockingIOError: One of them does.
    """
    with files.locked(lock, wait=False):
        yield


def _lock_of(home: Path, item: Item) -> Path:
    """Return what is held while something is used: the folder of a system's jobs, or an environment's own."""
    if item.kind == "environments":
        return item.path.with_suffix(".lock")
    for parent in BY_SYSTEM:
        if item.place == f"{parent}/{item.system}" or item.place.startswith(f"{parent}/{item.system}/"):
            return home / parent / item.system / NAME
    return home / item.place / NAME


def _places(home: Path) -> Iterator[str]:
    from mlstrata.services.retention.kept import RUN_LOGS
    from mlstrata.services.retention.settings import DOCUMENTS

    yield from (ENVIRONMENTS, DOCUMENTS, RUN_LOGS)
    for parent in BY_SYSTEM:
        for folder in children(home, parent):
            if folder.is_dir():
                yield f"{parent}/{folder.name}"
                yield from (f"{parent}/{folder.name}/{one.name}" for one in children(home, f"{parent}/{folder.name}"))
