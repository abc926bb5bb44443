"""`mlstrata migrate`: moves all artifacts to the storage that the file now asks for, and loses nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlstrata import worker
from mlstrata.cli.console import confirm, err, say, say_json
from mlstrata.environments.changes import compare
from mlstrata.environments.spec.storage import Storage
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.stack_state import exports, own_store, recorded, under_way
from mlstrata.services.storage.migration import JOURNAL, MANIFEST, Migration, Phase, same
from mlstrata.services.storage.settings import CopySettings

_FIXED = ("name", "target", "storage")


def migrate(name: str, *, yes: bool, keep_old: bool, as_json: bool) -> None:
    """Copy everything, prove it, switch, and give up the old store; a run that was cut off is gone on with.

    Raises:
        UsageError: the environment is not up, another fixed field changed too, or a training is under way.
        Failed: a store does not do what is asked; the registry goes on with the one it used.
    """
    deployment = Deployment.open(name)
    deployment.require_local("migrate")
    exports(deployment)
    moving = _planned(deployment)
    if moving is None:
        _say_done(deployment, {"changed": False}, as_json=as_json)
        return
    question = f"Move the artifacts of {name} from {_shown(moving.source)} to {_shown(moving.target)}?"
    confirm(yes, question, as_json)
    _remember(deployment.home, moving)
    if same(moving.target, deployment.spec.storage):
        done = _forward(deployment, moving, keep_old=keep_old)
    else:
        done = _back(deployment, moving)
    _say_done(deployment, {"changed": True, **done}, as_json=as_json)


def _planned(deployment: Deployment) -> Migration | None:
    """Return the migration that the file asks for, or the one that is under way; None when there is nothing to do."""
    wanted, moving = deployment.spec.storage, under_way(deployment)
    if moving is not None:
        back = moving.phase is Phase.COPY and same(moving.source, wanted)
        if not back and not same(moving.target, wanted):
            names = f"{_shown(moving.source)} to {_shown(moving.target)}"
            raise UsageError(
                f"{deployment.loaded.file}: storage: got {_shown(wanted)}, but the move from {names} is not done; "
                f"write {_shown(moving.target)} and run this again"
            )
        return moving
    fixed = {**next((one.inputs["spec"] for one in recorded(deployment, "Platform")), {})}
    before = {key: fixed[key] for key in _FIXED if key in fixed}
    others = [change for change in compare(before, deployment.spec).refused if change.path[0] != "storage"]
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


def _forward(deployment: Deployment, moving: Migration, *, keep_old: bool) -> dict[str, Any]:
    done: dict[str, Any] = {}
    if moving.phase is Phase.COPY:
        _refuse_running(deployment)
        with err().status("bringing both stores up …"):
            _up(deployment, asking=True)
        # Once while the registry answers, so that it is stopped for what came since alone.
        _job(deployment, moving, "copy")
        _stop_registry(deployment)
        done = _job(deployment, moving, "copy")
        moving = _remember(deployment.home, moving.model_copy(update={"phase": Phase.SWITCHED}))
    if moving.phase is Phase.SWITCHED:
        with err().status("switching the registry …"):
            _up(deployment)
        if not keep_old:
            done |= _job(deployment, moving, "empty")
        moving = _remember(deployment.home, moving.model_copy(update={"phase": Phase.EMPTIED}))
    with err().status("giving up the old store …"):
        _up(deployment)
        if moving.source.kind == "s3" and moving.target.kind != "s3" and not keep_old and not moving.source.endpoint:
            shutil.rmtree(deployment.home / "data/seaweedfs", ignore_errors=True)
    (deployment.home / JOURNAL).unlink(missing_ok=True)
    return done


def _back(deployment: Deployment, moving: Migration) -> dict[str, Any]:
    """Give up a move before its switch: the registry never left the old store."""
    (deployment.home / JOURNAL).unlink(missing_ok=True)
    with err().status("going back …"):
        _up(deployment)
    return {"gone_back": True, "left_in_target": _shown(moving.target)}


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

    SupervisorClient(Path(exports(deployment)["socket"])).remove("mlflow", 30)


def _job(deployment: Deployment, moving: Migration, what: str) -> dict[str, Any]:
    """Run a job on both stores in the environment that has an S3 client.

    Raises:
        Failed: with the job's own reason.
    """
    from mlstrata.components.storage.stores import Stores

    stores = Stores(deployment.spec, deployment.workspace)
    endpoint = own_store(deployment)
    settings = CopySettings(source=stores.store(moving.source, endpoint), target=stores.store(moving.target, endpoint))
    with err().status(f"{what}: starting …") as status:
        done = worker.run(
            "mlstrata.services.storage",
            settings,
            lambda line: status.update(f"{what}: {line['done']} of {line['all']}"),
            arguments=[what, "--manifest", str(deployment.home / MANIFEST)],
        )
    if done.value is None:
        raise Failed(f"{what} of {_shown(moving.source)} to {_shown(moving.target)}: {done.error}")
    return done.value


def _shown(storage: Storage) -> str:
    said = storage.model_dump(mode="json", exclude_none=True, exclude={"kind", "versioning", "credentials"})
    return " ".join([storage.kind, *(str(value) for value in said.values())])


def _say_done(deployment: Deployment, done: dict[str, Any], *, as_json: bool) -> None:
    where = _shown(deployment.spec.storage)
    if as_json:
        say_json({"environment": deployment.name, "storage": deployment.spec.storage.model_dump(mode="json"), **done})
    elif not done["changed"]:
        say(f" {deployment.name}: its artifacts are in {where} already")
    elif done.get("gone_back"):
        say(f" {deployment.name}: went on with {where}; copies are left in {done['left_in_target']}")
    else:
        what = f"{done['artifacts']} artifacts, {done['size'] / 2**20:.1f} MiB, " if "artifacts" in done else ""
        say(f" {deployment.name}: {what}each read back and the same, are in {where} now")
