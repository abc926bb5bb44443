"""What lies in an environment's home that comes and goes: of which kind, of which system, and until when it stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mlstrata.services.batch.settings import WORKDIR as BATCH
from mlstrata.services.batch.settings import manifest_of
from mlstrata.services.own_environment import FOLDER as ENVIRONMENTS
from mlstrata.services.own_environment import READY
from mlstrata.services.retention.needed import Need
from mlstrata.services.retention.settings import DOCUMENTS, KEPT, RetentionSettings, kept_until
from mlstrata.services.retention.walking import children, measured
from mlstrata.services.retraining.dataset import WORKDIR as LEARNING
from mlstrata.services.runner.elsewhere import FOLDER as ELSEWHERE
from mlstrata.services.runner.elsewhere import RECORD
from mlstrata.services.runner.requests import WORKDIR as RUNNER

RUN_LOGS = "logs/runs"
"""The logs of the runner's runs, from the environment's home."""
REMOVED = "the file declares it no more: `mlstrata erase`"
UNKNOWN = "the registry does not say what needs it"


@dataclass(frozen=True)
class Item:
    """A file or folder that is removed as a whole.

    Attributes:
        kind: What it is.
        system: Whose it is; empty: the environment's.
        path: Where it lies.
        place: The folder that it lies in, from the environment's home.
        size: Bytes.
        changed: When anything in it was changed last, in seconds since 1970.
        until: When it may go, in seconds since 1970; None: not by its age.
        why: What keeps it so long.
        beside: Files that go with it, before it.
    """

    kind: str
    system: str
    path: Path
    place: str
    size: int
    changed: float
    until: float | None
    why: str
    beside: tuple[Path, ...] = ()


Needs = Mapping[str, Mapping[str, Need] | None]
"""By system what its versions need, by the name of a snapshot; None: nobody can say."""
_After = Callable[[Path, float], tuple[float | None, str]]


@dataclass(frozen=True)
class _Place:
    """A folder whose entries are of one kind.

    Attributes:
        kind: Theirs.
        path: From the folder of a system, or from the home.
        pattern: Which of its entries.
        after: Until when one stays that was changed at a time, and why.
    """

    kind: str
    path: str
    pattern: str
    after: _After


def items(settings: RetentionSettings, needs: Needs) -> Iterator[Item]:
    """Yield what comes and goes, all of it, whether it may go by now or not."""
    for parent, places in BY_SYSTEM.items():
        for folder in children(settings.home, parent):
            if folder.is_dir():
                yield from of_system(settings, parent, folder.name, places(settings, needs.get(folder.name)))
    whole = _Place("run_logs", RUN_LOGS, "*.log", _aged(settings.logs, "retention.logs"))
    yield from _of_place(settings, "", "", whole)
    yield from _environments(settings)
    yield from _documents(settings)


def of_system(settings: RetentionSettings, parent: str, system: str, places: tuple[_Place, ...]) -> Iterator[Item]:
    """Yield what comes and goes of a system in its folder below `parent`."""
    for place in places:
        for item in _of_place(settings, system, f"{parent}/{system}", place):
            yield item if system in settings.systems else replace(item, until=None, why=REMOVED)


def _of_place(settings: RetentionSettings, system: str, parent: str, place: _Place) -> Iterator[Item]:
    where = f"{parent}/{place.path}".strip("/")
    for path in children(settings.home, where):
        if not path.match(place.pattern) or path.name.endswith((".lock", RECORD)):
            continue
        size, changed = measured(path)
        until, why = place.after(path, changed)
        beside = (manifest_of(path),) if place.kind == "scores" else ()
        yield Item(place.kind, system, path, where, size, changed, until, why, beside)


def _aged(seconds: float, why: str) -> _After:
    return lambda _path, changed: (changed + seconds, why)


def _of_runs(settings: RetentionSettings, needs: Mapping[str, Need] | None) -> tuple[_Place, ...]:
    run = _aged(settings.runs, "retention.runs")
    cache = _aged(settings.caches, "retention.caches")
    return (
        _Place("run_files", "artifacts", "*", run),
        _Place("snapshots", "data", "*.parquet", partial(_snapshot, settings, needs)),
        _Place("trials", "trials", "*", run),
        _Place("step_results", "cache", "*", cache),
        _Place("pipelines", "compiled", "*", cache),
        _Place("fetched_models", ELSEWHERE, "*", cache),
        _Place("run_logs", "logs", "*.log", _aged(settings.logs, "retention.logs")),
    )


def _of_scores(settings: RetentionSettings, _needs: Mapping[str, Need] | None) -> tuple[_Place, ...]:
    return (
        _Place("scores", "", "scores-*.csv", _aged(settings.predictions, "retention.predictions")),
        _Place("unfinished_scores", "work", "*", _aged(settings.runs, "retention.runs")),
    )


def _of_learning(settings: RetentionSettings, needs: Mapping[str, Need] | None) -> tuple[_Place, ...]:
    return (_Place("snapshots", "", "*.parquet", partial(_snapshot, settings, needs)),)


def _snapshot(
    settings: RetentionSettings, needs: Mapping[str, Need] | None, path: Path, changed: float
) -> tuple[float | None, str]:
    """Keep a snapshot for the versions that were made of it, and some time after a run used it."""
    if needs is None:
        return None, UNKNOWN
    used, need = changed + settings.runs, needs.get(path.stem)
    if need is None or (need.until is not None and need.until <= used):
        return used, "retention.runs"
    return need.until, need.why


def _environments(settings: RetentionSettings) -> Iterator[Item]:
    for path in children(settings.home, ENVIRONMENTS):
        if path.is_dir():
            size, changed = measured(path)
            try:
                used = (path / READY).stat().st_mtime
            except OSError:
                used = changed  # it is being built, or whoever built it was ended
            until = used + settings.caches
            yield Item(
                "environments", "", path, ENVIRONMENTS, size, changed, until, "retention.caches after its last use"
            )


def _documents(settings: RetentionSettings) -> Iterator[Item]:
    for path in children(settings.home, DOCUMENTS):
        if not path.is_dir():
            continue
        size, changed = measured(path)
        try:
            until: float | None = kept_until(path)
            why = "retention.documents after the system was erased"
        except (OSError, ValueError, KeyError, TypeError):
            until, why = None, f"{KEPT} in it cannot be read"
        yield Item("documents", path.name, path, DOCUMENTS, size, changed, until, why)


BY_SYSTEM = {RUNNER: _of_runs, BATCH: _of_scores, LEARNING: _of_learning}
"""Folders, from the environment's home, with a folder of each system's, and what comes and goes in one of those."""
