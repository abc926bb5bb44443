"""An environment's data on this machine into a store of copies, and back."""

from __future__ import annotations

import contextlib
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata import waiting, worker
from mlstrata.clients.mlflow.access import past_proxies
from mlstrata.operations.backup.copy import DATA, CopyError, Manifest, gather, put_back, read_manifest
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.targets.local import Local

if TYPE_CHECKING:
    from mlstrata.operations.reporting import Reporter

_FOLDER = "run/backup"
_STORE_SECONDS = 300.0


@dataclass(frozen=True)
class Backup:
    """A copy in a store of copies.

    Attributes:
        place: The store: a folder or `s3://BUCKET/PREFIX`.
        manifest: What the copy holds.
        said: What the store said: the copy's name, and those that were removed.
    """

    place: str
    manifest: Manifest
    said: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Return how much it holds, bytes."""
        return sum(one.size for one in self.manifest.files.values())


def backup(deployment: Deployment, place: str, reporter: Reporter, *, keep: int) -> Backup:
    """Copy what cannot be made again; who asks goes on being answered.

    Args:
        deployment: The environment.
        place: A folder, or s3://BUCKET/PREFIX.
        reporter: Told what is under way.
        keep: How many copies stay there, with this one.

    Raises:
        UsageError: the environment is not up, or a release is under way.
        Failed: the copy did not arrive whole; older ones are all there.
    """
    local = deployment.target.here("backup")
    _ = local.outputs  # refused where the environment is not up
    target, folder = _address(place), deployment.home / _FOLDER
    try:
        with reporter.working("copying …") as working, _still(local):
            held = gather(_roots(deployment), folder, _about(local))
            working(f"sending {len(held.files)} files …")
        said = _job("--folder", str(folder), "--to", target, "--keep", str(keep))
    except CopyError as error:
        raise Failed(str(error)) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Backup(target, held, said)


def restore(
    deployment: Deployment,
    place: str,
    reporter: Reporter,
    *,
    copy: str = "newest",
    agree: Callable[[Manifest], None] = lambda _manifest: None,
) -> Backup:
    """Put a copy's data where the next `up` finds them.

    Args:
        deployment: The environment.
        place: Where the copies lie.
        reporter: Told what is under way.
        copy: A copy's name.
        agree: Called before what the environment holds is replaced; what it raises ends it there.

    Raises:
        UsageError: the environment is up, or the copy is of another one.
        Failed: there is no such copy, or it is not whole; nothing was changed.
    """
    deployment.target.here("restore")
    name = deployment.name
    if deployment.checkpoint.exists():
        raise UsageError(f"{name} is up: `mlstrata down {name}` first (its own data go, or stay with --keep-data)")
    source, folder = _address(place), deployment.home / _FOLDER
    try:
        with reporter.working("fetching …"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, parents=True)
            deployment.home.chmod(0o700)
            said = _job("--folder", str(folder), "--to", source, "--restore", copy)
        manifest = _of_this(deployment, folder)
        roots = _roots(deployment)
        if any(path.exists() and any(path.iterdir()) for path in roots.values()):
            agree(manifest)
        with reporter.working("unpacking …"):
            put_back(folder, roots, manifest)
    except CopyError as error:
        raise Failed(f"{source}: copy {copy}: {error}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for empty in (folder.parent, deployment.home):
            with contextlib.suppress(OSError):
                empty.rmdir()
    return Backup(source, manifest, said)


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


def _about(local: Local) -> Manifest:
    deployment = local.deployment
    storage = deployment.spec.storage
    elsewhere = ""
    if storage.kind == "s3" and storage.endpoint:
        elsewhere = f"{storage.endpoint} {storage.bucket or ''}".strip()
    champions = {system.name: local.released(system.name).champion for system in deployment.spec.systems}
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
def _still(local: Local) -> Iterator[None]:
    """Have nothing decided and nothing stored while it is copied; what is released answers on."""
    from mlstrata.audit.log import locked
    from mlstrata.operations.releases.lock import only_one

    rollout = local.rollout()
    with ExitStack() as held:
        held.enter_context(only_one(rollout.lock_file, "backup"))
        held.enter_context(locked(rollout.audit_file))
        if local.outputs.loopback("storage", "s3"):
            # The registry is well again once it can give out objects; the store itself says so sooner than it can.
            held.enter_context(_stopped(local, "storage", f"{local.address('mlflow')}/health"))
        yield


@contextlib.contextmanager
def _stopped(local: Local, service: str, health: str) -> Iterator[None]:
    """Stop a service whose files are of one piece only when nobody writes, and start it again, whatever happens.

    Args:
        local: The environment.
        service: The service.
        health: What answers 200 when all is as before.
    """
    from mlstrata.components.supervision.client import SupervisorClient

    client = SupervisorClient(local.outputs.socket)
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
