"""The programs and definitions that `tools/install-go-tools` builds for the tests."""

import subprocess
from functools import cache
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[2] / "tools/install-go-tools"


@cache
def places(of: str) -> dict[str, Path]:
    """Return where everything of a set of tools is, or would be."""
    done = subprocess.run([str(INSTALL), "--where", of], capture_output=True, text=True, check=True)
    return {name: Path(path) for name, path in (line.split(" ", 1) for line in done.stdout.splitlines())}


@cache
def programs(of: str) -> dict[str, Path]:
    """Return where everything of a set of tools is; fail, saying what to run, where a piece is not built."""
    found = places(of)
    if missing := sorted(name for name, path in found.items() if not path.exists()):
        target = "test-node" if of == "node" else "test-engines"
        pytest.fail(f"no {of} ({', '.join(missing)}): run `make {target}`, which builds it", pytrace=False)
    return found
