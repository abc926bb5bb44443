"""Which commit of a workspace a run is made from."""

from __future__ import annotations

from pathlib import Path

from mlstrata.environments import Workspace, WorkspaceError

UNKNOWN = "unknown"
_DIRTY = "-dirty"


def current_commit() -> str:
    """Name the workspace's commit, with `-dirty` when tracked files had changes; `unknown` outside a repository."""
    try:
        root = Workspace.find().root
    except WorkspaceError:
        return UNKNOWN
    return _git(root, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or UNKNOWN


def declared_commit(workspace: Workspace, environment: str) -> str:
    """Name the last commit of an environment's file, with `-dirty` when it has changes; `unknown` where it has none.

    A cluster is told this one, and not the workspace's: a commit that changes nothing of an environment changes nothing
    that is deployed of it.
    """
    file = str(workspace.environment_file(environment))
    commit = _git(workspace.root, "log", "-1", "--format=%H", "--", file)
    if not commit:
        return UNKNOWN
    return f"{commit}{_DIRTY if _git(workspace.root, 'status', '--porcelain', '--', file) else ''}"


def _git(folder: Path, *arguments: str) -> str:
    """Return what git says in a folder; empty where it fails or is not there."""
    import subprocess

    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
