"""`mlstrata backup` and `restore`: a local environment's data into a store of copies, and back."""

from __future__ import annotations

import contextlib
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mlstrata import waiting, worker
from mlstrata.cli.console import confirm, err, say, say_json
from mlstrata.clients.mlflow.access import past_proxies
from mlstrata.operations.backup.copy import DATA, CopyError, Manifest, gather, put_back, read_manifest
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.stack_state import address, exports, own_store, released

_FOLDER = "run/backup"
_STORE_SECONDS = 60.0


def backup(name: str, *, to: str, keep: int, as_json: bool) -> None:
    """Copy what cannot be made again; who asks goes on being answered.

    Raises:
        UsageError: the environment is not up, or a release is under way.
        Failed: the copy did not arrive whole; older ones are all there.
    """
    deployment = Deployment.open(name)
    deployment.require_local("backup")
    exports(deployment)
    target, folder = _address(to), deployment.home / _FOLDER
    try:
        with err().status("copying …") as status, _still(deployment):
            held = gather(_roots(deployment), folder, _about(deployment))
            status.update(f"sending {len(held.files)} files …")
        said = _job("--folder", str(folder), "--to", target, "--keep", str(keep))
    except CopyError as error:
        raise Failed(str(error)) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    size = sum(one.size for one in held.files.values())
    if as_json:
        say_json({"environment": name, "to": target, **said, "files": len(held.files), "size": size})
        return
    say(f" {name}: {len(held.files)} files, {size / 2**20:.1f} MiB, are copy {said['copy']} at {target}")
    if held.outside:
        say(f" the artifacts are not in it: they lie in {held.outside}, whose versions and copies are its owner's")
    if said["removed"]:
        say(f" removed: {', '.join(said['removed'])}")


def restore(name: str, *, of: str, copy: str, yes: bool, as_json: bool) -> None:
    """Put a copy's data where the next `up` finds them.

    Raises:
        UsageError: the environment is up, or the copy is of another one.
        Failed: there is no such copy, or it is not whole; nothing was changed.
    """
    deployment = Deployment.open(name)
    deployment.require_local("restore")
    if deployment.checkpoint.exists():
        raise UsageError(f"{name} is up: `mlstrata down {name}` first (its own data go, or stay with --keep-data)")
    source, folder = _address(of), deployment.home / _FOLDER
    try:
        with err().status("fetching …"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, parents=True)
            deployment.home.chmod(0o700)
            said = _job("--folder", str(folder), "--to", source, "--restore", copy)
        manifest = _of_this(deployment, folder)
        roots = _roots(deployment)
        if any(path.exists() and any(path.iterdir()) for path in roots.values()):
            confirm(yes, f"Replace what {name} holds by the copy of {manifest.taken:%Y-%m-%d %H:%M} UTC?", as_json)
        with err().status("unpacking …"):
            put_back(folder, roots, manifest)
    except CopyError as error:
        raise Failed(f"{source}: copy {copy}: {error}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for empty in (folder.parent, deployment.home):
            with contextlib.suppress(OSError):
                empty.rmdir()
    if as_json:
        say_json({"environment": name, "from": source, **said, "files": len(manifest.files), "taken": manifest.taken})
        return
    versions = ", ".join(f"{system} {number}" for system, number in sorted(manifest.released.items()))
    say(f" {name}: {len(manifest.files)} files of {manifest.taken:%Y-%m-%d %H:%M} UTC are back, each as it was copied")
    say(f" released: {versions or 'nothing'} · tokens are to be issued anew · now `mlstrata up {name}`")


def _address(given: str) -> str:
    """Return where the copies lie: a bucket's address as it is, a folder's in full."""
    if given.startswith("s3://"):
        return given.rstrip("/")
    if "://" in given:
        raise UsageError(f"got {given}; allowed a folder, or s3://BUCKET/PREFIX with AWS's own variables for its keys")
    return str(Path(given).expanduser().resolve())


def _roots(deployment: Deployment) -> dict[str, Path]:
    roots, storage = {DATA: deployment.home / DATA}, deployment.spec.storage
    if storage.kind == "folder" and storage.path:
        roots["artifacts"] = deployment.workspace.root / storage.path
    return roots


def _about(deployment: Deployment) -> Manifest:
    storage = deployment.spec.storage
    elsewhere = ""
    if storage.kind == "s3" and storage.endpoint:
        elsewhere = f"{storage.endpoint} {storage.bucket or ''}".strip()
    champions = {system.name: released(deployment, system.name).champion for system in deployment.spec.systems}
    return Manifest(
        environment=deployment.name,
        taken=datetime.now(UTC),
        version=version("mlstrata"),
        storage=storage.kind,
        outside=elsewhere,
        released={system: champion for system, champion in champions.items() if champion},
        files={},
    )


def _of_this(deployment: Deployment, folder: Path) -> Manifest:
    manifest = read_manifest(folder, deployment.name)
    if manifest.storage != deployment.spec.storage.kind:
        raise UsageError(
            f"{deployment.loaded.file}: storage.kind: got {deployment.spec.storage.kind}, but the copy is of an "
            f"environment with {manifest.storage}; write that, restore, then `mlstrata migrate`"
        )
    return manifest


@contextlib.contextmanager
def _still(deployment: Deployment) -> Iterator[None]:
    """Have nothing decided and nothing stored while it is copied; what is released answers on."""
    from mlstrata.audit.log import locked
    from mlstrata.cli.release import Steps, local_backend
    from mlstrata.operations.releases.lock import only_one

    rollout = local_backend(deployment, Steps())
    with ExitStack() as held:
        held.enter_context(only_one(rollout.lock_file, "backup"))
        held.enter_context(locked(rollout.audit_file))
        if own_store(deployment):
            # The registry is well again once it can give out objects; the store itself says so sooner than it can.
            held.enter_context(_stopped(deployment, "storage", f"{address(deployment, 'mlflow')}/health"))
        yield


@contextlib.contextmanager
def _stopped(deployment: Deployment, service: str, health: str) -> Iterator[None]:
    """Stop a service whose files are of one piece only when nobody writes, and start it again, whatever happens.

    Args:
        deployment: The environment.
        service: The service.
        health: What answers 200 when all is as before.
    """
    from mlstrata.components.supervision.client import SupervisorClient

    client = SupervisorClient(Path(exports(deployment)["socket"]))
    client.remove(service, 30)
    try:
        yield
    finally:
        client.add(service)
        _await(health)


def _await(health: str) -> None:
    past_proxies(health)

    def answers() -> bool:
        # Of our own state, and loopback.
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(health, timeout=2):  # noqa: S310 - http
            return True
        return False

    waiting.until(answers, _STORE_SECONDS)


def _job(*arguments: str) -> Mapping[str, Any]:
    """Run the command that a cluster's nightly job runs, where its libraries are.

    Raises:
        Failed: with its own reason.
    """
    done = worker.run("mlstrata.services.backup", arguments=arguments)
    if done.value is None:
        raise Failed(str(done.error))
    return done.value
