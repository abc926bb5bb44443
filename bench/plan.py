"""`mlstrata plan local`, beside nothing but the imports that any Pulumi program of this kind pays."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.workspace import make, run

ROUNDS = 7


def measure_plan() -> dict[str, object]:
    """Time both in turns; return the medians in seconds and their ratio."""
    with tempfile.TemporaryDirectory(prefix="mlstrata-bench-") as folder:
        environment = make(Path(folder))
        plans, imports = [], []
        for _ in range(ROUNDS):
            imports.append(_timed(_bare_import))
            plans.append(_timed(lambda: run(environment, "plan", "local")))
    plan, bare = statistics.median(plans), statistics.median(imports)
    return {
        "plan, s (median)": round(plan, 3),
        "bare import of pulumi, kubernetes, aws, s": round(bare, 3),
        "plan / bare import": round(plan / bare, 2),
    }


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _bare_import() -> None:
    subprocess.run([sys.executable, "-c", "import pulumi, pulumi_kubernetes, pulumi_aws"], check=True)
