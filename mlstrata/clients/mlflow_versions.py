"""Versions of a system side by side: what each was measured at, and what made it.

Over plain HTTP: a comparison on the terminal should not wait for MLflow's own client to be imported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlstrata.clients.mlflow_rest import ask

_PAGE = 200
_PAGES = 50
"""At the most: a registry that pages for ever must not hold the reader."""


@dataclass(frozen=True)
class VersionView:
    """A version as it is compared.

    Attributes:
        version: its number.
        run: the registry's run that made it; empty when none is known.
        pipeline_run: the pipeline's run.
        environment: where that was.
        commit: the code's commit.
        data_version: hash of the data it was trained on.
        metrics: figures of its evaluation.
        settings: the run's parameters, as text.
    """

    version: str
    run: str = ""
    pipeline_run: str = ""
    environment: str = ""
    commit: str = ""
    data_version: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)


def versions_of(registry: str, access: Mapping[str, str], system: str) -> list[dict[str, Any]]:
    """Return every version of a system as the registry has it, the newest first.

    Args:
        registry: Its address.
        access: The header that says who asks.
        system: The system.

    Raises:
        RegistryError: it does not answer as it should.
    """
    found: list[dict[str, Any]] = []
    token = ""
    for _ in range(_PAGES):
        query = {"filter": f"name = '{system}'", "max_results": str(_PAGE), "page_token": token}
        document = ask(registry, access, "model-versions/search", {key: text for key, text in query.items() if text})
        found += document.get("model_versions", [])
        if not (token := document.get("next_page_token", "")):
            break
    return sorted(found, key=lambda one: -int(one["version"]))


def views(registry: str, access: Mapping[str, str], versions: Sequence[Mapping[str, Any]]) -> list[VersionView]:
    """Return versions with what their runs measured.

    Raises:
        RegistryError: the registry does not answer as it should.
    """
    return [_view(registry, access, version) for version in versions]


def differing(compared: Sequence[VersionView]) -> list[str]:
    """Return the settings that are not the same in all of them, by name."""
    names = sorted({name for view in compared for name in view.settings})
    return [name for name in names if len({view.settings.get(name) for view in compared}) > 1]


def _view(registry: str, access: Mapping[str, str], version: Mapping[str, Any]) -> VersionView:
    tags = {one["key"]: one["value"] for one in version.get("tags", [])}
    run = str(version.get("run_id") or "")
    data: Mapping[str, Any] = {}
    if run:
        data = ask(registry, access, "runs/get", {"run_id": run}).get("run", {}).get("data", {})
    measured = {one["key"]: float(one["value"]) for one in data.get("metrics", [])}
    return VersionView(
        version=str(version["version"]),
        run=run,
        pipeline_run=tags.get("pipeline_run", ""),
        environment=tags.get("environment", ""),
        commit=tags.get("commit", ""),
        data_version=tags.get("data_version", ""),
        metrics={name: value for name, value in sorted(measured.items()) if math.isfinite(value)},
        settings={one["key"]: str(one["value"]) for one in data.get("params", [])},
    )
