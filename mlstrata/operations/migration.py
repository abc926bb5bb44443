"""Moves all artifacts to the storage that the file now asks for, and loses nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata import worker
from mlstrata.environments.changes import compare
from mlstrata.environments.spec.storage import Storage
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.migration_journal import under_way
from mlstrata.services.storage.migration import JOURNAL, MANIFEST, Migration, Phase, same
from mlstrata.services.storage.settings import CopySettings

if TYPE_CHECKING:
    from mlstrata.operations.reporting import Reporter

_FIXED = ("name", "target", "storage")


def migrate(
    deployment: Deployment,
    reporter: Reporter,
    *,
    keep_old: bool = False,
    agree: Callable[[Migration], None] = lambda _moving: None,
) -> dict[str, Any]:
    """Copy everything, prove it, switch, and give up the old store; a run that was cut off is gone on with.

    Args:
        deployment: The environment.
        reporter: Told what is under way.
        keep_old: Leave the old store as it is.
        agree: Called before anything is done; what it raises ends it there.

    Returns:
        `changed`, and where something was: `artifacts`, `size` (bytes), or `gone_back` with `left_in_target`.

    Raises:
        UsageError: the environment is not up, another fixed field changed too, or a training is under way.
        Failed: a store does not do what is asked; the registry goes on with the one it used.
    """
    _ = deployment.target.here("migrate").outputs  # refused where the environment is not up
    moving = planned(deployment)
    if moving is None:
        return {"changed": False}
    agree(moving)
    _remember(deployment.home, moving)
    if same(moving.target, deployment.spec.storage):
        return {"changed": True, **_forward(deployment, moving, reporter, keep_old=keep_old)}
    return {"changed": True, **_back(deployment, moving, reporter)}


def planned(deployment: Deployment) -> Migration | None:
    """Return the migration that the file asks for, or the one that is under way; None when there is nothing to do."""
    wanted, moving = deployment.spec.storage, under_way(deployment)
    if moving is not None:
        back = moving.phase is Phase.COPY and same(moving.source, wanted)
        if not back and not same(moving.target, wanted):
            names = f"{shown(moving.source)} to {shown(moving.target)}"
            raise UsageError(
                f"{deployment.loaded.file}: storage: got {shown(wanted)}, but the move from {names} is not done; "
                f"write {shown(moving.target)} and run this again"
            )
        return moving
    fixed = deployment.state.declared
    before = {key: fixed[key] for key in _FIXED if key in fixed}
    others = [one for one in compare(before, deployment.spec) if one.migration and one.path[0] != "storage"]
    if others:
        raise UsageError(f"{deployment.loaded.file}: {others[0].name} changed as well; migrate the storage alone first")
    deployed = before.get("storage")
    try:
        source = Migration.model_validate({"source": deployed, "target": deployed}).source
    except ValueError:
        raise UsageError(
            f"{deployment.checkpoint}: platform: inputs: spec: storage: got {deployed!r:.60}; no storage that "
            "`mlstrata up` records: restore the file from a copy"
        ) from None
    return None if same(source, wanted) else Migration(source=source, target=wanted)


def _forward(deployment: Deployment, moving: Migration, reporter: Reporter, *, keep_old: bool) -> dict[str, Any]:
    done: dict[str, Any] = {}
    if moving.phase is Phase.COPY:
        _refuse_running(deployment)
        with reporter.working("bringing both stores up …"):
            _up(deployment, asking=True)
        # Once while the registry answers, so that it is stopped for what came since alone.
        _job(deployment, moving, "copy", reporter)
        _stop_registry(deployment)
        done = _job(deployment, moving, "copy", reporter)
        moving = _remember(deployment.home, moving.model_copy(update={"phase": Phase.SWITCHED}))
    if moving.phase is Phase.SWITCHED:
        with reporter.working("switching the registry …"):
            _up(deployment)
        if not keep_old:
            done |= _job(deployment, moving, "empty", reporter)
        moving = _remember(deployment.home, moving.model_copy(update={"phase": Phase.EMPTIED}))
    with reporter.working("giving up the old store …"):
        _up(deployment)
        if moving.source.kind == "s3" and moving.target.kind != "s3" and not keep_old and not moving.source.endpoint:
            shutil.rmtree(deployment.home / "data/seaweedfs", ignore_errors=True)
    (deployment.home / JOURNAL).unlink(missing_ok=True)
    return done


def _back(deployment: Deployment, moving: Migration, reporter: Reporter) -> dict[str, Any]:
    """Give up a move before its switch: the registry never left the old store."""
    (deployment.home / JOURNAL).unlink(missing_ok=True)
    with reporter.working("going back …"):
        _up(deployment)
    return {"gone_back": True, "left_in_target": shown(moving.target)}


def _up(deployment: Deployment, *, asking: bool = False) -> None:
    """Make the environment what file and journal say; with `asking`, unless a policy blocks it."""
    import pulumi_embedded
    from mlstrata.operations.policy_gate import Gate

    options = deployment.options(refresh=True)
    if asking:
        options = replace(options, approve=Gate(deployment).approve)
    pulumi_embedded.up(deployment.program, deployment.backend, options)


def _remember(home: Path, moving: Migration) -> Migration:
    from mlstrata.files import write_private

    (home / JOURNAL).parent.mkdir(parents=True, exist_ok=True)
    write_private(home / JOURNAL, moving.model_dump_json(indent=1) + "\n")
    return moving


def _refuse_running(deployment: Deployment) -> None:
    """A run that registers its model while the registry is stopped would fail at its last step."""
    from mlstrata.services.catalog.sources import DATABASE, read_runs

    database = deployment.home / DATABASE
    if not database.exists():
        return
    for run in read_runs(database, [system.name for system in deployment.spec.systems]):
        if run["state"] in ("queued", "running"):
            raise UsageError(f"run {run['id']} of {run['system']} is {run['state']}; migrate when it has ended")


def _stop_registry(deployment: Deployment) -> None:
    """Stop MLflow, so that nothing is written to the old store any more; released models go on answering."""
    from mlstrata.components.supervision.client import SupervisorClient

    SupervisorClient(deployment.target.here("migrate").outputs.socket).remove("mlflow", 30)


def _job(deployment: Deployment, moving: Migration, what: str, reporter: Reporter) -> dict[str, Any]:
    """Run a job on both stores in the environment that has an S3 client.

    Raises:
        Failed: with the job's own reason.
    """
    from mlstrata.components.storage.stores import Stores

    stores = Stores(deployment.spec, deployment.workspace)
    endpoint = deployment.reopened().target.here("migrate").outputs.loopback("storage", "s3")
    settings = CopySettings(source=stores.store(moving.source, endpoint), target=stores.store(moving.target, endpoint))
    with reporter.working(f"{what}: starting …") as working:
        done = worker.run(
            "mlstrata.services.storage",
            settings,
            lambda line: working(f"{what}: {line['done']} of {line['all']}"),
            arguments=[what, "--manifest", str(deployment.home / MANIFEST)],
        )
    if done.value is None:
        raise Failed(f"{what} of {shown(moving.source)} to {shown(moving.target)}: {done.error}")
    return done.value


def shown(storage: Storage) -> str:
    """Return a storage in one line: its kind and where it is."""
    said = storage.model_dump(mode="json", exclude_none=True, exclude={"kind", "versioning", "credentials"})
    return " ".join([storage.kind, *(str(value) for value in said.values())])
