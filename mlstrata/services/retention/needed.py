"""Which snapshots of data the versions of a system need, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlstrata.clients.mlflow import Registry, RegistryError
from mlstrata.clients.mlflow.access import header, variables
from mlstrata.services.retention.settings import RetentionSettings
from mlstrata.services.serving.folders import releases_folder
from mlstrata.services.serving.releases import Releases

_DATA = ("data_version", "evaluation_data_version")


@dataclass(frozen=True)
class Need:
    """What needs a snapshot.

    Attributes:
        until: When it ends, in seconds since 1970; None: while the version answers.
        why: The version, and what keeps its data.
    """

    until: float | None
    why: str


def needs(settings: RetentionSettings, system: str) -> dict[str, Need] | None:
    """Return by the name of a snapshot who needs it longest; None where releases or registry cannot be read."""
    if not settings.tracking_uri:
        return None
    registry = Registry(settings.tracking_uri, header(variables(settings.home)))
    try:
        releases = Releases.read(releases_folder(settings.home, system))
        versions = registry.versions(system)
    except (RegistryError, OSError, ValueError):
        return None
    return needed(versions, releases, high_risk=settings.systems.get(system, True), documents=settings.documents)


def needed(versions: list[dict[str, Any]], releases: Releases, *, high_risk: bool, documents: float) -> dict[str, Need]:
    """Return by the name of a snapshot who needs it longest.

    A version that answers, or that a rollback goes back to, needs its data as long as it does. One that was released
    before, and every one of a high-risk system, needs them as long as documents are kept.
    """
    answering = {releases.champion, releases.challenger, releases.shadow, releases.before_champion()}
    # What was taken back is kept with its data for whoever looks into it.
    answering |= {*releases.loaded, *releases.held}
    released = {entry.to: entry.when.timestamp() for entry in releases.history}
    found: dict[str, Need] = {}
    for one in versions:
        version = str(one["version"])
        tags: Mapping[str, str] = {tag["key"]: tag["value"] for tag in one.get("tags", [])}
        if version in answering:
            need = Need(None, f"version {version} answers, or is gone back to")
        elif version in released:
            need = Need(released[version] + documents, f"retention.documents: version {version} was released")
        elif high_risk:
            made = int(one.get("creation_timestamp") or 0) / 1000  # MLflow counts milliseconds
            need = Need(made + documents, f"retention.documents: version {version} of a high-risk system")
        else:
            continue
        for name in filter(None, (tags.get(tag, "").removeprefix("sha256:") for tag in _DATA)):
            if name not in found or _ends(found[name]) < _ends(need):
                found[name] = need
    return found


def _ends(need: Need) -> float:
    return float("inf") if need.until is None else need.until
