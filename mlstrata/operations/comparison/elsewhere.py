"""Another workspace, asked in a process of its own: what a module says of it, as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlstrata.operations.errors import UsageError


def told_by(
    module: str, arguments: Sequence[str], workspace: Path, refusal: str, variables: Mapping[str, str] | None = None
) -> Any:
    """Return what `python -m MODULE` prints.

    Args:
        module: The module.
        arguments: What it is given.
        workspace: The workspace that it works in.
        refusal: What is said before its own last line where it fails.
        variables: More of its environment, such as whose code it runs.

    Raises:
        UsageError: It failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **(variables or {}), "PYTHONSAFEPATH": "1", "MLSTRATA_WORKSPACE": str(workspace)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise UsageError(f"{refusal}: {last[0]}")
    return json.loads(done.stdout)
