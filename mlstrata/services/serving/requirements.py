"""Whether this process holds what a model needs of its system's own lock: looked at before the model is loaded."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mlstrata_steps.package import REQUIREMENTS

_LARGEST = 4 * 2**20


class MissingRequirements(Exception):
    """A version was trained with what this process does not hold; the message names it, and the fix."""


def require_installed(folder: Path) -> None:
    """Refuse a model whose own requirements are not installed here.

    Args:
        folder: The model, as MLflow packs it.

    Raises:
        MissingRequirements: One of them is not here, or in another version.
    """
    wanted = _requirements(folder / "MLmodel")
    other = [f"{name} {one}, which is {there}" for name, one in wanted.items() if (there := _here(name)) != one]
    if other:
        raise MissingRequirements(
            f"it was trained with {'; '.join(other[:3])} here; name the lock that it was trained with in "
            "model.requirements and run up, or train and release a version with the one that is named"
        )


def _requirements(file: Path) -> dict[str, str]:
    import yaml

    if not file.is_file() or file.stat().st_size > _LARGEST:
        return {}
    about = (yaml.safe_load(file.read_bytes()) or {}).get("metadata") or {}
    return {str(name): str(one) for name, one in dict(about.get(REQUIREMENTS) or {}).items()}


def _here(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
