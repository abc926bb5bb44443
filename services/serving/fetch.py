"""`python -m services.serving.fetch`: puts the version that a pod is to serve where its prediction process looks.

On a cluster a pod has no folder that a rollout could write: it takes its version from the registry when it starts, the
one that `MLSTRATA_MODEL_VERSION` names. A release changes that variable, and the pods follow one by one.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from services.rollout.errors import RolloutError
from services.rollout.registry import Registry
from services.serving.releases import FILE, Releases

VERSION = "MLSTRATA_MODEL_VERSION"
CHAMPION = "champion"


def fetch(registry: Registry, system: str, wanted: str, directory: Path) -> str | None:
    """Put a version's files and the word that it is released into a folder.

    Args:
        registry: Where versions are.
        system: The system.
        wanted: A version's number, or `champion` for what the registry calls so.
        directory: The prediction process's folder.

    Returns:
        The version; None where nothing is released yet: the process then starts and says so.

    Raises:
        RolloutError: there is no such version, its files cannot be had, or the registry does not answer.
    """
    directory.mkdir(parents=True, exist_ok=True)
    version = registry.champion(system) if wanted == CHAMPION else wanted
    if version is None:
        return None
    candidate = registry.candidate(system, version)
    folder = directory / "models" / candidate.version
    folder.parent.mkdir(exist_ok=True)
    registry.download(candidate, folder)
    releases = Releases(champion=candidate.version, loaded=(candidate.version,))
    unfinished = directory / f".{FILE}"
    unfinished.write_text(releases.model_dump_json(indent=2, by_alias=True) + "\n", encoding="utf-8")
    unfinished.replace(directory / FILE)
    return candidate.version


def main() -> int:
    """Fetch what variables and command line name; 0 fine, 1 it cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m services.serving.fetch", description="Fetch a released version.")
    parser.add_argument("--system", required=True)
    parser.add_argument("--directory", type=Path, required=True)
    given = parser.parse_args()
    registry = Registry(os.environ["MLFLOW_TRACKING_URI"])
    try:
        version = fetch(registry, given.system, os.environ.get(VERSION, CHAMPION), given.directory)
    except RolloutError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    said = f"version {version} of {given.system}" if version else f"no version of {given.system} is released yet"
    sys.stdout.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
