"""What is so of this machine alone: the disk must have room, a second `up` may be known to be done, state goes too."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from mlstrata.operations import disk_reserve, settled
from mlstrata.operations.deploy import Deployed
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.plan_basis import basis
from mlstrata.operations.reporting import Reporter

LEAST_FREE_BYTES = 64 * 2**20  # logs of a service turn at 10 MB; the registry and one model take some MB


def refuse_full_disk(deployment: Deployment) -> None:
    """Refuse to start on a disk that is all but full, where every service would fail in its own way.

    Raises:
        UsageError: less than LEAST_FREE_BYTES are free.
    """
    free = shutil.disk_usage(deployment.workspace.root).free
    if free < LEAST_FREE_BYTES:
        raise UsageError(
            f"{deployment.workspace.root}: {free / 2**20:.1f} MiB are free on its disk; a local environment needs at "
            f"least {LEAST_FREE_BYTES // 2**20} MiB for its state, registry and logs; free some space, then run again"
        )


def build_environments(deployment: Deployment, reporter: Reporter) -> None:
    """Build the environment of each system that has a lock of its own, unless it is there.

    Here the caller's index, proxies and certificates are known; services get none of the caller's variables.

    Raises:
        UsageError: one cannot be had; nothing was changed.
    """
    from mlstrata.environments.requirements import RequirementsError
    from mlstrata.services.own_environment import ensure

    for system in deployment.spec.systems:
        if own := system.model.requirements:
            deployment.workspace.keep_from_git()
            with reporter.working(f"building the environment of {system.name} …"):
                try:
                    ensure(deployment.workspace.root / own, deployment.home)
                except RequirementsError as error:
                    raise UsageError(f"{deployment.file}: {system.name}: model.requirements: {error}") from None


def make(deployment: Deployment, run: Callable[[], Deployed]) -> Deployed:
    """Make an environment by `run`, unless the last `up` was made from the same and everything is as it left it."""
    began, made_from = time.monotonic(), basis(deployment)
    if (last := settled.read(deployment, made_from)) is not None:
        return Deployed(deployment, replace(last.result(), seconds=time.monotonic() - began), last.verdict)
    done = run()
    disk_reserve.keep(deployment.home)
    if done.verdict is not None:
        settled.keep(done.deployment, made_from, done.verdict)
    return replace(done, ready_seconds=done.deployment.state.waited[1] if done.result.steps else {})


def unmake(
    deployment: Deployment, run: Callable[[], Mapping[str, int]], *, agree: Callable[[], None], keep_data: bool
) -> Mapping[str, int]:
    """Destroy an environment by `run`, where there is one, then what the engine leaves of it."""
    counts: Mapping[str, int] = {}
    if deployment.checkpoint.exists():
        agree()
        disk_reserve.give_back(deployment.home)
        counts = run()
    _forget(deployment, keep_data=keep_data)
    return counts


def _forget(deployment: Deployment, *, keep_data: bool) -> None:
    """Remove what the engine's destroy leaves: the empty state, its settings file and the environment's folder."""
    stack = deployment.name
    pulumi = deployment.workspace.root / ".pulumi"
    for path in (
        deployment.checkpoint,
        deployment.checkpoint.with_suffix(".json.bak"),
        deployment.checkpoint.with_suffix(".json.attrs"),
        deployment.settings,
    ):
        path.unlink(missing_ok=True)
    for folder in ("history", "backups", "locks/organization"):
        shutil.rmtree(pulumi / folder / deployment.workspace.project / stack, ignore_errors=True)
    if not deployment.home.exists():
        return
    if not keep_data:
        shutil.rmtree(deployment.home)
        return
    for path in deployment.home.iterdir():
        if path.name not in ("data", "logs"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
