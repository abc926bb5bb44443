"""Where the serving of a system keeps what it needs, in an environment's home."""

from __future__ import annotations

from pathlib import Path


def secret_file(home: Path, system: str) -> Path:
    """Return the file with the secret of the versions interface of a system's prediction processes."""
    return home / "config/serving-secrets" / system


def releases_folder(home: Path, system: str) -> Path:
    """Return the folder of a system's releases and model versions, which only a release writes."""
    return home / "data/serving" / system


def spill_folder(home: Path, system: str, service: str) -> Path:
    """Return the folder of a prediction process's records until the recorder has committed them."""
    return releases_folder(home, system) / "spill" / service
