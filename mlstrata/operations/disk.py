"""What an environment on this machine takes of the disk: by kind and system, and what of it may go when."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlstrata.operations import history
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.services.gateway.logfiles import archives
from mlstrata.services.gateway.names import ACCESS_LOG
from mlstrata.services.retention.kept import Item, items
from mlstrata.services.retention.needed import needs
from mlstrata.services.retention.settings import RetentionSettings
from mlstrata.services.retention.walking import children, measured

_STAYS = (
    ("registry", "data/mlflow", "versions, their reports and runs: `mlstrata erase` of a removed system"),
    ("served_models", "data/serving", "released versions; a release removes those that nobody goes back to"),
    ("audit_log", "data/audit", "every decision, for good"),
    ("metrics", "data/prometheus", "retention.logs, by Prometheus itself"),
    ("predictions", "data/recorder", "retention.predictions, by the recorder; a person's: `mlstrata erase --subject`"),
    ("lineage", "data/runner", "runs and their lineage"),
    ("service_logs", "logs", "each turns at 20 MB; the last three stay"),
)
"""What does not go by its age: its kind, its folder in the home, and why it stays. None holds another."""
_OTHER = "settings, stores of services, and what runs"


@dataclass(frozen=True)
class Taken:
    """What one kind takes for one system.

    Attributes:
        kind: What it is.
        system: Whose it is; empty: the environment's.
        count: How many files or folders; 0: not counted.
        size: Bytes.
        may_go: Bytes that the next round removes.
        next: When the next of it may go, in seconds since 1970; None: nothing of it does by its age.
        why: What keeps it, each reason once.
    """

    kind: str
    system: str
    count: int
    size: int
    may_go: int
    next: float | None
    why: tuple[str, ...]


def disk(deployment: Deployment) -> list[Taken]:
    """Measure an environment's home and the records of its updates, the largest first.

    Raises:
        UsageError: the environment is not on this machine, or has no home yet.
    """
    deployment.target.here("usage --disk")
    home, now = deployment.home, time.time()
    if not home.is_dir():
        raise UsageError(f"{deployment.name} has no data yet ({home} is not there): `mlstrata up {deployment.name}`")
    settings = RetentionSettings.of(deployment.spec, home, _registry(deployment))
    known = {system: needs(settings, system) for system in settings.systems}
    found = [*items(settings, known), *_archives(settings), *_updates(deployment)]
    by_name: dict[tuple[str, str], list[Item]] = {}
    for item in found:
        by_name.setdefault((item.kind, item.system), []).append(item)
    taken = [_taken(kind, system, of, now) for (kind, system), of in by_name.items()]
    return sorted([*taken, *_staying(deployment, found)], key=lambda one: (-one.size, one.kind, one.system))


def _taken(kind: str, system: str, of: list[Item], now: float) -> Taken:
    coming = [item.until for item in of if item.until is not None]
    return Taken(
        kind,
        system,
        len(of),
        sum(item.size for item in of),
        sum(item.size for item in of if item.until is not None and item.until <= now),
        min(coming, default=None),
        tuple(sorted({item.why for item in of})),
    )


def _registry(deployment: Deployment) -> str:
    """Return the registry's address; empty where the environment is not up."""
    try:
        return deployment.target.urls.get("mlflow", "")
    except UsageError:
        return ""


def _archives(settings: RetentionSettings) -> Iterator[Item]:
    for archive in archives(settings.home / ACCESS_LOG):
        for path in (archive.plain, archive.packed):
            if path.is_file():
                size, changed = measured(path)
                until = archive.closed.timestamp() + settings.logs
                yield Item("access_log", "", path, "logs", size, changed, until, "retention.logs")


def _updates(deployment: Deployment) -> Iterator[Item]:
    for update in history.updates(deployment):
        why = f"the newest {history.NEWEST} stay" if update.until is None else "retention.history"
        yield Item("history", "", update.files[0], "", update.size, 0.0, update.until, why)


def _staying(deployment: Deployment, found: list[Item]) -> Iterator[Taken]:
    """Yield what lies in the home beside what comes and goes; together they are all of it."""
    home = deployment.home
    rest = measured(home).size - _below(home, found)
    for kind, place, why in _STAYS:
        # Released versions are a system's; of the other folders the environment has one.
        of = [*children(home, place)] if kind == "served_models" else [home / place]
        for folder in of:
            size = measured(folder).size - _below(folder, found)
            rest -= size
            if size > 0:
                yield Taken(kind, folder.name if kind == "served_models" else "", 0, size, 0, None, (why,))
    yield Taken("other", "", 0, max(0, rest), 0, None, (_OTHER,))


def _below(folder: Path, found: list[Item]) -> int:
    return sum(item.size for item in found if item.path.is_relative_to(folder))
