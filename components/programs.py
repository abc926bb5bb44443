"""Finds the programs that local services run, all at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlstrata.components.errors import PlanError
from mlstrata.environments.installation import programs_folder

RUNTIME = ("envoy", "mlflow", "mlserver", "python", "weed")
"""Programs of the runtime environment, installed from its lock."""
MONITORING: Mapping[str, tuple[str, ...]] = {
    "prometheus": ("prometheus",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),
}
"""Programs of the machine or of the tools cache, by the names under which systems carry them."""


@dataclass(frozen=True)
class Binaries:
    """Where the programs are."""

    paths: Mapping[str, Path]

    def __getitem__(self, name: str) -> Path:
        return self.paths[name]


def tools_folder() -> Path:
    """Return the folder of the tools cache: $MLSTRATA_TOOLS, else the user's cache."""
    given = os.environ.get("MLSTRATA_TOOLS")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(given) if given else cache / "mlstrata" / "tools") / "bin"


def find(names: Iterable[str]) -> Binaries:
    """Find programs.

    Args:
        names: Among RUNTIME and MONITORING.

    Raises:
        PlanError: Some are missing; names each, where it was looked for and how to get it.
    """
    found: dict[str, Path] = {}
    problems = []
    for name in names:
        path = _runtime(name) if name in RUNTIME else _monitoring(name)
        if path is not None:
            found[name] = path
        elif name in RUNTIME:
            problems.append(f"{name}: not in {programs_folder()}; install mlstrata whole: `pip install mlstrata`")
        else:
            problems.append(
                f"{name}: neither on PATH nor in {tools_folder()}; install it; `mlstrata doctor local` says how"
            )
    if problems:
        raise PlanError([f"missing tool {problem}" for problem in problems])
    return Binaries(found)


def _runtime(name: str) -> Path | None:
    path = programs_folder() / name
    return path if os.access(path, os.X_OK) else None


def _monitoring(name: str) -> Path | None:
    for candidate in MONITORING[name]:
        cached = tools_folder() / candidate
        if os.access(cached, os.X_OK):
            return cached
        if there := shutil.which(candidate):
            return Path(there)
    return None
