"""Which commit of a workspace a run is made from."""

from __future__ import annotations

import subprocess

from mlstrata.environments import Workspace, WorkspaceError

UNKNOWN = "unknown"


def current_commit() -> str:
    """Name the workspace's commit, with `-dirty` when tracked files had changes; `unknown` outside a repository."""
    try:
        root = Workspace.find().root
    except WorkspaceError:
        return UNKNOWN
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return UNKNOWN
    return done.stdout.strip() if done.returncode == 0 else UNKNOWN
