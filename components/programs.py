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
"""Programs that the lock installs beside the interpreter."""
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
        names: Among RUNTIME and MONITORING, or an extension's own, under the name that systems carry it by.

    Raises:
        PlanError: Some are missing; one line names those that are had the same way, where they were looked for and how
            to get them.
    """
    paths = {name: _runtime(name) if name in RUNTIME else _monitoring(name) for name in names}
    missing = [name for name, path in paths.items() if path is None]
    problems = []
    if ours := [name for name in missing if name in RUNTIME]:
        fix = "install mlstrata whole: `pip install mlstrata`"
        problems.append(f"missing tools {', '.join(ours)}: not in {programs_folder()}; {fix}")
    if others := [name for name in missing if name not in RUNTIME]:
        fix = "install what is missing; `mlstrata doctor local` says how"
        problems.append(f"missing tools {', '.join(others)}: neither on PATH nor in {tools_folder()}; {fix}")
    if problems:
        raise PlanError(problems)
    return Binaries({name: path for name, path in paths.items() if path is not None})


def _runtime(name: str) -> Path | None:
    path = programs_folder() / name
    return path if os.access(path, os.X_OK) else None


def _monitoring(name: str) -> Path | None:
    for candidate in MONITORING.get(name, (name,)):
        cached = tools_folder() / candidate
        if os.access(cached, os.X_OK):
            return cached
        if there := shutil.which(candidate):
            return Path(there).absolute()  # PATH may name folders from here, and a service starts elsewhere
    return None
