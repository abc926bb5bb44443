"""`mlstrata up local` from nothing, beside its slowest service started alone and its CPU time in all; then again."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path

from bench.cpu import cpu_seconds
from bench.workspace import make, run
from mlstrata.components.supervision.client import SupervisorClient
from mlstrata.components.supervision.health import Check
from mlstrata.operations import settled
from mlstrata.services.exporter.processes import marked_processes
from pulumi_embedded import Backend

ALONE_FACTOR, CPU_FACTOR = 1.5, 1.25


def measure_startup() -> dict[str, object]:
    """Bring an environment up from nothing, then each of its services alone.

    Returns:
        Seconds, the ratio of `up` to the larger of 1.5 x the slowest service's own start and 1.25 x the CPU seconds
        over the cores, and that of a second `up` to one that plans.
    """
    with tempfile.TemporaryDirectory(prefix="mlstrata-bench-") as folder:
        environment = make(Path(folder))
        home = Path(folder) / ".mlstrata/local"
        before = _children_cpu()
        began = time.monotonic()
        run(environment, "up", "local", "--yes")
        wall = time.monotonic() - began
        services = sum(cpu_seconds(process.pid, children=True) for process in marked_processes(home))
        cpu = _children_cpu() - before + services
        try:
            again = _again(environment)
            (home / settled.FILE).unlink()
            planned = _again(environment)
            alone = _alone(Path(folder))
        finally:
            run(environment, "down", "local", "--yes")
    slowest = max(alone, key=lambda name: alone[name])
    cores = len(os.sched_getaffinity(0))
    bound = max(ALONE_FACTOR * alone[slowest], CPU_FACTOR * cpu / cores)
    return {
        "up from nothing, s": round(wall, 2),
        f"slowest service alone ({slowest}), s": round(alone[slowest], 2),
        "all services one after the other, s": round(sum(alone.values()), 2),
        f"CPU, s (on {cores} cores)": round(cpu, 2),
        "bound, s": round(bound, 2),
        "up / bound (at most 1)": round(wall / bound, 2),
        "up again, CPU s": round(again, 2),
        "up again with a plan, CPU s": round(planned, 2),
        "up again / with a plan (at most 0.5)": round(again / planned, 2),
    }


def _again(environment: dict[str, str]) -> float:
    """Bring up what is up; return the CPU seconds of the command."""
    before = _children_cpu()
    run(environment, "up", "local", "--yes")
    return _children_cpu() - before


def _alone(workspace: Path) -> dict[str, float]:
    """Stop every service, then start and stop each by itself; return its seconds from start to healthy."""
    document = Backend(workspace).read("mlstrata", "local") or {}
    resources = document["latest"]["resources"]
    outputs = [one["outputs"] for one in resources if one["type"].endswith(":Ready")]
    checks = [check for output in outputs for check in Check.all_of(output["checks"])]
    client = SupervisorClient(outputs[0]["socket"], seconds=120)
    for check in checks:
        client._call("stopProcess", f"{check.service}:{check.service}", True)
    found = {}
    for check in checks:
        name = f"{check.service}:{check.service}"
        began = time.monotonic()
        client._call("startProcess", name, False)
        while check.complaint() is not None:
            time.sleep(0.02)
        found[check.service] = time.monotonic() - began
        client._call("stopProcess", name, True)
    return found


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
