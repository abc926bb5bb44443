"""What `pulumi preview --refresh`, `up` and `destroy` do, on every target, with the policies asked first."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlstrata.operations import history
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.policy_check import together
from mlstrata.operations.policy_gate import Gate, leaving_nothing
from mlstrata.operations.reporting import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pulumi_embedded
    from mlstrata.operations.beside.ask import Fit
    from mlstrata.operations.engines import Engine
    from mlstrata.operations.pending.watch import Told
    from mlstrata.operations.policy_gate import Verdict
    from mlstrata.operations.reporting import Reporter


@dataclass(frozen=True)
class Planned:
    """What `up` would do.

    Attributes:
        result: Its steps, what drifted, and every resource as the program registered it; of all its layers.
        not_inspected: Charts and bundles whose objects no plan shows.
        layers: Each layer with its part of it, in the order in which they are made.
        fit: On a cluster, whether the plan fits it beside what is there; None: it is on this machine.
    """

    result: pulumi_embedded.Result
    not_inspected: tuple[str, ...] = ()
    layers: tuple[tuple[Deployment, pulumi_embedded.Result], ...] = ()
    fit: Fit | None = None


@dataclass(frozen=True)
class Deployed:
    """What `up` did.

    Attributes:
        deployment: The environment as it is now.
        result: The steps.
        verdict: What the policies said before it.
        ready_seconds: On this machine, the seconds that each service took from its start to healthy.
        waited: On a cluster, what was told of things that waited, and for what; None: it is on this machine.
    """

    deployment: Deployment
    result: pulumi_embedded.Result
    verdict: Verdict | None
    ready_seconds: Mapping[str, float] = field(default_factory=dict)
    waited: tuple[Told, ...] | None = None


def plan(deployment: Deployment, reporter: Reporter) -> Planned:
    """Return what `up` would do and what drifted; nothing is changed.

    Raises:
        SpecErrors: a field that cannot change in place has changed.
        EngineError: the environment cannot be planned.
    """
    import pulumi_embedded

    refuse_immutable_changes(deployment)
    found = []
    with reporter.changing("planning") as listen:
        for layer in deployment.layers:
            options = layer.options(refresh=True, on_event=listen)
            found.append((layer, pulumi_embedded.preview(layer.program, layer.backend, options)))
    result = together(tuple(one for _, one in found))
    return Planned(result, deployment.target.not_inspected(result), tuple(found), deployment.target.fit(result))


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
    target = deployment.target
    engine = target.engine(reporter)
    refuse_immutable_changes(deployment)
    target.refuse_to_begin()
    agree()
    target.prepare(reporter)
    return target.make(lambda: _deployed(deployment, engine, reporter))


def _deployed(deployment: Deployment, engine: Engine, reporter: Reporter) -> Deployed:
    gate = Gate(deployment)
    with leaving_nothing(deployment), reporter.changing("starting") as listen:
        result = engine.up(listen, gate.approve)
    waited = None if engine.waited is None else tuple(engine.waited)
    history.prune(deployment, time.time())
    return Deployed(deployment.reopened(), result, gate.verdict, waited=waited)


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
    target = deployment.target
    engine = target.engine(SILENT)

    def run() -> Mapping[str, int]:
        with reporter.changing("stopping") as listen:
            return engine.down(listen).counts

    return target.unmake(run, agree=agree, keep_data=keep_data)


def refuse_immutable_changes(deployment: Deployment) -> None:
    """Refuse a file whose fixed fields differ from what is deployed, before anything runs.

    Raises:
        SpecErrors: a field that cannot change in place has changed; each message names the migration.
    """
    for layer in deployment.layers:
        if deployed := layer.state.declared:
            from mlstrata.environments.changes import refuse_immutable

            refuse_immutable(deployed, deployment.loaded)
