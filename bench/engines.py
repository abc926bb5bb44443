"""A plan with all policies by `mlstrata check`, beside `pulumi preview --policy-pack` of the same program.

Both start cold, in turns, and read the same workspace: the shipped `dev` on a cluster of the bench's own (the CLI asks
it for its kinds, `check` asks nobody), and a program of many Kubernetes objects that the CLI renders to a folder. It
needs what `make test-engines` builds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.workspace import COMMAND, ROOT, find_support

if TYPE_CHECKING:
    from tests.support.pulumi_cli import Cli

ROUNDS, SIZES = 3, (500, 5000)
STACK, PACK = "bench", ROOT / "policies"
OBJECTS = "BENCH_OBJECTS"
BLOCKED = (0, 1, 255)
"""Exit codes of a plan that ended with its verdicts: bare objects have findings, for which the CLI's is -1."""
PROGRAM = """\
import os

import pulumi
import pulumi_kubernetes as kubernetes

provider = kubernetes.Provider("offline", render_yaml_to_directory=os.environ["BENCH_RENDERED"])
options = pulumi.ResourceOptions(provider=provider)
security = {
    "allow_privilege_escalation": False,
    "capabilities": {"drop": ["ALL"]},
    "read_only_root_filesystem": True,
    "run_as_non_root": True,
    "seccomp_profile": {"type": "RuntimeDefault"},
}
for number in range(int(os.environ["BENCH_OBJECTS"])):
    name = f"object-{number}"
    about = {"name": name, "namespace": "bench", "labels": {"app": name}}
    if number % 2:
        kubernetes.core.v1.ConfigMap(name, metadata=about, data={"number": str(number)}, opts=options)
        continue
    container = {
        "name": "main",
        "image": "registry.example.com/app@sha256:" + "0" * 64,
        "ports": [{"container_port": 8080}],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "1Gi"}},
        "security_context": security,
        "liveness_probe": {"http_get": {"path": "/healthz", "port": 8080}},
        "readiness_probe": {"http_get": {"path": "/ready", "port": 8080}},
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"match_labels": {"app": name}}, "template": template}
    kubernetes.apps.v1.Deployment(name, metadata=about, spec=spec, opts=options)
"""


@dataclass(frozen=True)
class Took:
    """What a command took: seconds that passed, and seconds that a processor worked."""

    wall: float
    processor: float


def measure_engines() -> dict[str, object]:
    """Return the seconds of each way and their ratios, by what is planned."""
    find_support()
    from tests.support.pulumi_cli import folder_for_path

    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="mlstrata-bench-") as folder:
        bin_ = folder_for_path(Path(folder) / "bin")
        with _dev(Path(folder), bin_) as cli:
            figures |= _compared("dev", "dev", cli, ROUNDS)
        for size in SIZES:
            cli = _objects(Path(folder) / str(size), bin_, size)
            figures |= _compared(f"{size} objects", STACK, cli, ROUNDS if size == min(SIZES) else 1)
    return figures


@contextmanager
def _dev(folder: Path, bin_: Path) -> Iterator[Cli]:
    """Give the CLI in a workspace with the shipped `dev`, on a cluster and from a mirror of the bench's own."""
    from tests.support.deployed import Deployed, world

    with world(folder / "world") as made:
        deployed = Deployed.of(made, "dev", folder / "dev", bin_)
        deployed.at("foundation")
        yield deployed.cli


def _objects(folder: Path, bin_: Path, size: int) -> Cli:
    """Give the CLI in a workspace whose program makes this many objects."""
    from tests.support.pulumi_cli import Cli

    for name in ("environments", "program", "policies"):
        (folder / name).mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text(f"name: {STACK}\nruntime: python\nmain: program/\n", encoding="utf-8")
    (folder / "program/__main__.py").write_text(PROGRAM, encoding="utf-8")
    declared = f"name: {STACK}\ntarget: {{kind: kubernetes, context: nowhere}}\nstage: prerequisites\n"
    (folder / f"environments/{STACK}.yaml").write_text(declared, encoding="utf-8")
    rendered = folder / "rendered"
    variables = {OBJECTS: str(size), "BENCH_RENDERED": str(rendered), "MLSTRATA_WORKSPACE": str(folder)}
    return Cli(bin_, folder, variables=variables)


def _compared(what: str, stack: str, cli: Cli, rounds: int) -> dict[str, object]:
    """Time both in turns; return the medians and how many times the one takes of the other."""
    cli.do("stack", "select", "--create", stack)
    preview = [str(cli.bin / "pulumi"), "preview", "-s", stack, "--policy-pack", str(PACK), "--non-interactive"]
    checks, previews = [], []
    for _ in range(rounds):
        checks.append(_took(lambda: _run([str(COMMAND), "check", stack], cli)))
        previews.append(_took(lambda: _run(preview, cli)))
    ours, theirs = (
        Took(statistics.median(one.wall for one in all_of), statistics.median(one.processor for one in all_of))
        for all_of in (checks, previews)
    )
    found: dict[str, object] = {
        f"{what}: mlstrata check, s": round(ours.wall, 2),
        f"{what}: pulumi preview with the pack, s": round(theirs.wall, 2),
        f"{what}: preview / check": round(theirs.wall / ours.wall, 2),
        f"{what}: preview / check, processor time": round(theirs.processor / ours.processor, 2),
    }
    for label, value in found.items():  # as the next may take an hour
        sys.stderr.write(f"{label} {value}\n")
    return found


def _took(work: Callable[[], object]) -> Took:
    began, before = time.monotonic(), os.times()
    work()
    after = os.times()
    return Took(time.monotonic() - began, sum(after[2:4]) - sum(before[2:4]))


def _run(command: list[str], cli: Cli) -> None:
    """Run a command that plans and judges.

    Raises:
        RuntimeError: it did neither.
    """
    done = subprocess.run(
        command,
        cwd=cli.folder,
        env=cli.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in BLOCKED or "olic" not in done.stdout:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
