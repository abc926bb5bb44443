"""Which commit the running code is."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

UNKNOWN = "unknown"


def current_commit() -> str:
    """Name the checkout's commit, with `-dirty` when tracked files had changes; `unknown` outside a repository."""
    spec = importlib.util.find_spec("mlstrata.pipelines")
    if spec is None or spec.origin is None:
        return UNKNOWN
    folder = Path(spec.origin).parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return UNKNOWN
    return done.stdout.strip() if done.returncode == 0 else UNKNOWN
