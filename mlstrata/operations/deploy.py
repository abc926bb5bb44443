"""What `pulumi preview --refresh`, `up` and `destroy` do, on every target, with the policies asked first."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlstrata.operations import disk_reserve, settled
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.engines import engine_of
from mlstrata.operations.errors import UsageError
from mlstrata.operations.plan_basis import basis
from mlstrata.operations.policy_gate import Gate, leaving_nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pulumi_embedded
    from mlstrata.operations.engines import Engine
    from mlstrata.operations.pending.watch import Told
    from mlstrata.operations.policy_gate import Verdict
    from mlstrata.operations.reporting import Reporter

LEAST_FREE_BYTES = 64 * 2**20  # logs of a service turn at 10 MB; the registry and one model take some MB


@dataclass(frozen=True)
class Planned:
    """What `up` would do.

    Attributes:
        result: Its steps, what drifted, and every resource as the program registered it.
        not_inspected: Charts and bundles whose objects no plan shows.
    """

    result: pulumi_embedded.Result
    not_inspected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deployed:
    """What `up` did.

    Attributes:
        deployment: The environment as it is now.
        result: The steps.
        verdict: What the policies said before it.
        ready_seconds: On this machine, the seconds that each service took from its start to healthy.
        waited: On a cluster, what was told of things that waited, and for what.
    """

    deployment: Deployment
    result: pulumi_embedded.Result
    verdict: Verdict | None
    ready_seconds: Mapping[str, float] = field(default_factory=dict)
    waited: tuple[Told, ...] = ()


def plan(deployment: Deployment, reporter: Reporter) -> Planned:
    """Return what `up` would do and what drifted; nothing is changed.

    Raises:
        SpecErrors: a field that cannot change in place has changed.
        EngineError: the environment cannot be planned.
    """
    import pulumi_embedded

    refuse_immutable_changes(deployment)
    with reporter.changing("planning") as listen:
        result = pulumi_embedded.preview(
            deployment.program, deployment.backend, deployment.options(refresh=True, on_event=listen)
        )
    return Planned(result, _not_inspected(deployment, result))


def up(deployment: Deployment, reporter: Reporter, *, agree: Callable[[], None] = lambda: None) -> Deployed:
    """Make the environment what its file says, if its policies let it.

    On this machine nothing is planned where the last `up` was made from the same and everything is as it left it.

    Args:
        deployment: The environment.
        reporter: Follows the engine, and is told within seconds what waits in a cluster.
        agree: Called before anything is done; what it raises ends it there.

    Raises:
        Refused: a policy blocks the plan; nothing was changed.
        SpecErrors: a field that cannot change in place has changed.
        UsageError: the disk is all but full, or a program that is needed is missing.
        ClusterError: the cluster does not answer or refuses the credentials; nothing was changed.
        EngineError: it cannot be built as declared, or a step failed.
    """
    engine = engine_of(deployment, reporter)
    refuse_immutable_changes(deployment)
    if deployment.is_local:
        _refuse_full_disk(deployment)
    agree()
    if not deployment.is_local:
        return _deployed(deployment, engine, reporter)
    began, made_from = time.monotonic(), basis(deployment)
    if (last := settled.read(deployment, made_from)) is not None:
        return Deployed(deployment, replace(last.result(), seconds=time.monotonic() - began), last.verdict)
    done = _deployed(deployment, engine, reporter)
    disk_reserve.keep(deployment.home)
    if done.verdict is not None:
        settled.keep(done.deployment, made_from, done.verdict)
    return replace(done, ready_seconds=done.deployment.state.waited[1] if done.result.steps else {})


def _deployed(deployment: Deployment, engine: Engine, reporter: Reporter) -> Deployed:
    gate = Gate(deployment)
    with leaving_nothing(deployment), reporter.changing("starting") as listen:
        result = engine.up(listen, gate.approve)
    return Deployed(deployment.reopened(), result, gate.verdict, waited=tuple(engine.waited))


def down(
    deployment: Deployment, reporter: Reporter, *, keep_data: bool, agree: Callable[[], None] = lambda: None
) -> Mapping[str, int]:
    """Destroy the environment's resources; on this machine then its state, and its data unless they are to be kept.

    On a cluster what holds data is retained, whatever `keep_data` says, and this machine's records of it stay.

    Returns:
        The number of steps by operation.

    Raises:
        EngineError: a step failed; the next run goes on from there.
        UsageError: a program that is needed is missing.
    """
    engine = engine_of(deployment)
    if not deployment.is_local:
        agree()
        with reporter.changing("stopping") as listen:
            return engine.down(listen).counts
    counts: Mapping[str, int] = {}
    if deployment.checkpoint.exists():
        agree()
        disk_reserve.give_back(deployment.home)
        with reporter.changing("stopping") as listen:
            counts = engine.down(listen).counts
    _forget(deployment, keep_data=keep_data)
    return counts


def refuse_immutable_changes(deployment: Deployment) -> None:
    """Refuse a file whose fixed fields differ from what is deployed, before anything runs.

    Raises:
        SpecErrors: a field that cannot change in place has changed; each message names the migration.
    """
    if deployed := deployment.state.declared:
        from mlstrata.environments.changes import refuse_immutable

        refuse_immutable(deployed, deployment.loaded)


def _refuse_full_disk(deployment: Deployment) -> None:
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


def _not_inspected(deployment: Deployment, result: pulumi_embedded.Result) -> tuple[str, ...]:
    """Name the charts and bundles whose objects no plan of ours shows, as `check` does."""
    if deployment.is_local:
        return ()  # known to hold none, and a plan of this machine is to take a moment
    from mlstrata.policies.adapters.embedded_graph import records
    from mlstrata.policies.core.graph import Graph

    return tuple(one.name for one in Graph(records(result.graph)).not_inspected)
