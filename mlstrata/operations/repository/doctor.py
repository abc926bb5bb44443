"""`mlstrata doctor`: what this machine lacks for a target, and how to get it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from mlstrata.components.errors import PlanError
from mlstrata.components.programs import MONITORING, RUNTIME, find
from mlstrata.components.supervision.sockets import foreign_holder, is_free
from mlstrata.environments import EnvironmentSpec, Workspace, WorkspaceError, load
from mlstrata.environments.spec.base import choice
from mlstrata.operations import gpus
from mlstrata.operations.errors import UsageError

TARGETS = ("local", "kubernetes", "aws")
CLUSTERS = frozenset({"kubernetes", "aws"})
LEAST_FREE_GIB, LEAST_MEMORY_GIB = 2, 4
"""What a local environment takes with one system and one training; for logs, registry and artifacts it grows."""
_PATIENCE_S = 60
_MONITORING = (
    "`apt-get install prometheus prometheus-alertmanager` or `brew install prometheus alertmanager`; unpacked "
    "programs may lie in $MLSTRATA_TOOLS/bin instead of on PATH"
)


@dataclass(frozen=True)
class Finding:
    """One thing that a target needs.

    Attributes:
        what: What it is.
        targets: Which targets need it.
        fine: Whether it is there.
        detail: What was found.
        fix: How to get it; empty where it is there.
        needed: Whether the target cannot work without it.
    """

    what: str
    targets: tuple[str, ...]
    fine: bool
    detail: str
    fix: str = ""
    needed: bool = True


def examine(asked: str = "") -> tuple[Finding, ...]:
    """Look at this machine, changing nothing.

    Args:
        asked: An environment of the workspace, or a kind of target; empty: every kind.

    Raises:
        UsageError: It is neither.
        SpecErrors: The environment's file is not a valid one.
    """
    spec = _environment(asked)
    kinds = TARGETS if not asked else (spec.target.kind if spec else asked,)
    found = [*_machine(), *_local(spec), *_cluster(spec)]
    return tuple(one for one in found if set(one.targets) & set(kinds))


def _environment(asked: str) -> EnvironmentSpec | None:
    try:
        workspace = Workspace.find()
    except WorkspaceError:
        workspace = None
    if asked and workspace and workspace.environment_file(asked).is_file():
        return load(workspace.environment_file(asked))
    if asked and asked not in TARGETS:
        known = list(workspace.environment_files()) if workspace else []
        allowed = [*TARGETS, *(name for name in known if name not in TARGETS)]
        raise UsageError(f"no target or environment '{asked}'; {choice(asked, allowed)}")
    return None


def _machine() -> Iterator[Finding]:
    """What every target needs."""
    running = ".".join(map(str, sys.version_info[:3]))
    fine = (3, 11) <= sys.version_info[:2] <= (3, 12)
    yield Finding(
        "Python", TARGETS, fine, running, "" if fine else "install Python 3.11 or 3.12, then mlstrata with it"
    )
    git = _program("git", "--version")
    yield Finding(
        "git", TARGETS, bool(git), git or "not on PATH", "" if git else "install git: lineage names the commit",
        needed=False,
    )  # fmt: skip


def _local(spec: EnvironmentSpec | None) -> Iterator[Finding]:
    only = ("local",)
    for names, fix in (
        (RUNTIME, "install mlstrata whole, in a virtual environment: `pip install mlstrata`"),
        (tuple(MONITORING), _MONITORING),
    ):
        for name in names:
            try:
                path = find([name])[name]
            except PlanError:
                yield Finding(name, only, fine=False, detail="not found", fix=fix)
            else:
                yield Finding(name, only, fine=True, detail=str(path))
    yield from _room()
    yield _gpus(spec)
    # Another environment's ports are another's; those of none in particular are any that are free.
    wanted: Mapping[str, int] = getattr(spec.target, "ports", {}) if spec else {}
    home = Workspace.find().home(spec.name) if spec else Path("/")
    for name, port in sorted(wanted.items()):
        if port and not is_free(port) and (holder := foreign_holder(port, home)):
            fix = f"stop it, or set target.ports.{name} to another port (0 for any free one)"
            yield Finding(f"port {port} ({name})", only, fine=False, detail=f"in use by {holder}", fix=fix)


def _gpus(spec: EnvironmentSpec | None) -> Finding:
    """Look for GPUs; a machine without one is fine, unless the file has pools of them."""
    there = gpus.of_machine()
    lacking = bool(spec and spec.gpu_pools and not there.found)
    fix = "install the driver of your GPU, or remove gpu_pools: what asks for a GPU runs without one here"
    return Finding("GPUs", ("local",), not lacking, there.in_words, fix if lacking else "", needed=False)


def _room() -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    fix = f"free some space: at least {LEAST_FREE_GIB} GiB"
    yield _measured("disk", free, LEAST_FREE_GIB, f"{free:.1f} GiB free here", fix)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    fix = f"use a machine with at least {LEAST_MEMORY_GIB} GiB; a smaller one may be slow, or end a training"
    yield _measured("memory", memory, LEAST_MEMORY_GIB, f"{memory:.1f} GiB", fix, needed=False)


def _measured(what: str, there: float, least: float, detail: str, fix: str, *, needed: bool = True) -> Finding:
    fine = there >= least
    return Finding(what, ("local",), fine, detail, "" if fine else fix, needed)


def _cluster(spec: EnvironmentSpec | None) -> Iterator[Finding]:
    both = tuple(sorted(CLUSTERS))
    sdk = version("pulumi")
    cli = f"install the Pulumi CLI {sdk} or newer: https://www.pulumi.com/docs/install/"
    said = _program("pulumi", "version")
    fine = bool(said) and not _is_older(said, sdk)
    yield Finding("pulumi", both, fine, said or "not on PATH", "" if fine else cli, needed=not said)
    said = _program("kubectl", "version", "--client")
    fix = "install kubectl: https://kubernetes.io/docs/tasks/tools/"
    yield Finding("kubectl", both, bool(said), said or "not on PATH", "" if said else fix)
    helm = _program("helm", "version", "--short")
    yield Finding(
        "helm", both, bool(helm), helm or "not on PATH",
        "" if helm else "install Helm for `mlstrata render`: https://helm.sh/docs/intro/install/", needed=False,
    )  # fmt: skip
    context = getattr(spec.target, "context", None) if spec else None
    if spec and context:
        reached = _reachable(context, both)
        yield reached
        if reached.fine:
            yield _secrets(spec.name, context, both)


def _is_older(said: str, least: str) -> bool:
    """Say whether a program names a version before `least`; one that names none of its own is taken as it is."""
    there = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+).*", said)
    return there is not None and tuple(map(int, there.groups())) < tuple(map(int, least.split(".")[:3]))


def _reachable(context: str, targets: tuple[str, ...]) -> Finding:
    """Ask the cluster of a kubeconfig's context whether it is ready."""
    what = f"cluster ({context})"
    if not shutil.which("kubectl"):
        return Finding(what, targets, fine=False, detail="cannot be asked without kubectl", fix="install kubectl first")
    command = ["kubectl", "--context", context, f"--request-timeout={_PATIENCE_S}s", "get", "--raw", "/readyz"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * _PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired):
        return Finding(what, targets, fine=False, detail="does not answer", fix="connect to its network, or start it")
    if done.returncode == 0:
        return Finding(what, targets, fine=True, detail="answers")
    said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    fix = f"let the kubeconfig have a context {context} that reaches it, or name another in target.context"
    return Finding(what, targets, fine=False, detail=said, fix=fix)


def _secrets(environment: str, context: str, targets: tuple[str, ...]) -> Finding:
    """Look whether the secrets that an environment expects are in its cluster."""
    import pulumi_embedded
    from mlstrata.clients.kubernetes import Cluster, ClusterError
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.troubles.look import secrets_lacking

    what, deployment = f"secrets ({context})", Deployment.open(environment)
    try:
        lack = secrets_lacking(deployment, deployment.target.objects(), Cluster(context, patience_s=0.0))
    except (ClusterError, pulumi_embedded.EngineError) as error:
        return Finding(what, targets, fine=False, detail=f"not looked at: {error}", fix="mend that first")
    closed = f"you may not look for those of {', '.join(lack.closed)}"
    if not lack.troubles:
        return Finding(what, targets, fine=True, detail=closed if lack.closed else "all that are expected are there")
    names = ", ".join(f"{one.namespace}/{one.name}" for one in lack.troubles)
    fixes = "; ".join(dict.fromkeys(one.fix for one in lack.troubles))
    return Finding(what, targets, fine=False, detail=f"missing, or lacking an entry: {names}", fix=fixes)


def _program(name: str, *arguments: str) -> str:
    """Return the first line that a program says of its version; empty where it is not there or does not run."""
    try:
        done = subprocess.run([name, *arguments], capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else ""
