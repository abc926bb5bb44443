"""Which tool deploys a render, and where it finds it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path, PurePosixPath

from mlstrata.operations.errors import UsageError
from mlstrata.operations.render.argocd import ArgoCD
from mlstrata.operations.render.flux import Flux
from mlstrata.operations.render.units import Tool


class Deploys(StrEnum):
    """Axis: what deploys a render from a git repository."""

    ARGOCD = "argocd"
    FLUX = "flux"


def tool(deploys: Deploys, folder: Path, *, repo: str | None, revision: str, path: str | None) -> Tool:
    """Return a tool with the place where it finds a render.

    Args:
        deploys: The tool.
        folder: The folder that the render is written to.
        repo: Address of the git repository; None: the one of Flux's bootstrap.
        revision: Its branch.
        path: The render's folder in it; None: `folder`, as it is below the git repository that it is in.

    Raises:
        UsageError: Argo CD has no repository, or the folder is in no repository.
    """
    if deploys is Deploys.ARGOCD and not repo:
        raise UsageError(
            "--repo: is missing; Argo CD takes a render from a git repository: name its address, such as "
            "--repo https://git.example.com/ml/environments.git"
        )
    within = _within(folder) if path is None else _proper(path)
    return ArgoCD(str(repo), revision, within) if deploys is Deploys.ARGOCD else Flux(repo or "", revision, within)


def _proper(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise UsageError(f"--path: got {path!r}; allowed a folder inside the repository, such as clusters/dev")
    return "" if str(parts) == "." else str(parts)


def _within(folder: Path) -> str:
    whole = folder.resolve()
    for root in whole.parents:
        if (root / ".git").exists():
            return whole.relative_to(root).as_posix()
    raise UsageError(f"--path: is missing, and {folder} is in no git repository; name the render's folder in --repo")
