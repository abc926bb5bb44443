"""Erases what a system leaves behind once no file declares it: its data, its runs and its versions."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata import worker
from mlstrata.environments.installation import interpreter
from mlstrata.environments.spec.base import suggestion
from mlstrata.files import write_private
from mlstrata.operations.deciding import deciding_user
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.erasure_recorded import erase_recorded
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.training.first_version import EXAMPLES
from mlstrata.services.retention.settings import DOCUMENTS, KEPT, kept_until
from mlstrata.services.retention.walking import measured
from mlstrata.services.serving.folders import releases_folder
from mlstrata.services.serving.releases import FILE, Releases

if TYPE_CHECKING:
    from mlstrata.clients.mlflow import Registry
    from mlstrata.operations.reporting import Reporter
    from mlstrata.operations.targets.local import Local

EVIDENCE = ("evaluation", "gates")
"""Reports of a version that are kept when its system is erased: figures and verdicts, no rows."""


@dataclass(frozen=True)
class Erased:
    """What was erased of a system.

    Attributes:
        system: Its name.
        versions: How many versions the registry had of it.
        runs: How many runs the runner knew of it.
        bytes: Size of the files in its folders.
        record: Number of the entry in the audit log.
        kept: Folder with the evidence of its released versions, which the law has kept; None: none was released.
        kept_until: When that may go, UTC.
        recorded: Records of predictions that are gone.
        held: Records that the law has kept: nothing but a request by their id shows them.
        held_until: When the last of these goes by itself, UTC.
    """

    system: str
    versions: int
    runs: int
    bytes: int
    record: int
    kept: Path | None = None
    kept_until: datetime | None = None
    recorded: int = 0
    held: int = 0
    held_until: datetime | None = None


def left_behind(deployment: Deployment) -> tuple[str, ...]:
    """Return the systems that have data on this machine, and that the file declares no more."""
    declared = {system.name for system in deployment.spec.systems}
    return tuple(sorted({one.name for parent in _parents(deployment) for one in _folders(parent)} - declared))


def erase(
    deployment: Deployment, system: str, reason: str, reporter: Reporter, *, agree: Callable[[], None] = lambda: None
) -> Erased:
    """Erase a removed system's data, records, runs and versions, and record who did so and why.

    What a run that was cut off left is erased by the next. The audit log and the lineage keep decisions, names and
    hashes; the reports of versions that were released are kept as long as the file keeps documents, since they hold
    figures and no rows; copies that a backup made are as they were.

    Args:
        deployment: The environment, which is up.
        system: A system that it declares no more.
        reason: Why.
        reporter: Told what is under way.
        agree: Called before anything is erased; what it raises ends it there.

    Raises:
        UsageError: the system is declared or runs still, nothing is there of it, or the environment is not up.
        Failed: something could not be erased; the rest is erased by another run.
    """
    from mlstrata.audit import AuditLog, Entry, plain_text
    from mlstrata.clients.mlflow import RegistryError

    local = deployment.target.here("erase")
    _refuse_what_stands(deployment, system)
    try:
        plain_text(reason)
    except ValueError as error:
        raise UsageError(f"--reason: {error}") from None
    folders = folders_of(deployment, system)
    size = sum(measured(folder).size for folder in folders)
    with local.registry() as registry:
        try:
            versions, champion = len(registry.versions(system)), registry.champion(system)
            if not folders and not versions:
                raise _unknown(deployment, system)
            agree()
            with reporter.working(f"erasing {system} …"):
                kept = _keep_evidence(deployment, registry, system, reason)
                _from_registry(local, registry, system)
                runs = _from_runner(deployment, system)
                (deployment.home / EXAMPLES / f"{system}.json").unlink(missing_ok=True)
                records = erase_recorded(deployment.home, system, datetime.now(UTC))
                _remove(folders)
        except RegistryError as error:
            raise Failed(f"{system}: {error}; run this again") from None
    now = datetime.now(UTC)
    appended = AuditLog(local.audit_file).append(
        Entry(
            id=f"erase/{system}/{now.isoformat()}",
            when=now,
            who=deciding_user(),
            action="erase",
            system=system,
            version_from=champion,
            version_to="none",
            reason=reason,
            outcome="done",
        )
    )
    for warning in appended.warnings:
        reporter.note(warning)
    until = datetime.fromtimestamp(kept_until(kept), UTC) if kept else None
    held_until = None if records.until is None else datetime.fromtimestamp(records.until, UTC)
    return Erased(
        system, versions, runs, size, appended.record.number, kept, until, records.erased, records.held, held_until
    )


def _keep_evidence(deployment: Deployment, registry: Registry, system: str, reason: str) -> Path | None:
    """Keep what was measured and decided of the versions that were released; return where, None where none was.

    Raises:
        RegistryError: their reports cannot be read; nothing is erased then.
        Failed: what was released cannot be read, or the disk refuses.
    """
    folder = deployment.home / DOCUMENTS / system
    try:
        releases = Releases.read(releases_folder(deployment.home, system))
        released = {entry.to for entry in releases.history}
        for version in registry.versions(system):
            if (number := str(version["version"])) in released:
                for name, report in registry.reports(str(version.get("run_id") or "")).items():
                    if name in EVIDENCE:
                        write_private(folder / number / f"{name}.json", json.dumps(report, indent=1) + "\n")
        if released:
            write_private(folder / FILE, releases.to_json())
            until = (datetime.now(UTC) + deployment.spec.retention.documents).timestamp()
            about = {"system": system, "reason": reason, "versions": sorted(released, key=int), "until": until}
            write_private(folder / KEPT, json.dumps(about, indent=1) + "\n")
    except (OSError, ValueError) as error:
        raise Failed(f"{system}: its evidence cannot be kept: {error}; nothing is erased") from error
    # One that was cut off has kept it already.
    return folder if (folder / KEPT).is_file() else None


def _parents(deployment: Deployment) -> tuple[Path, ...]:
    """Return the folders that have one of each system, by its name; what was released goes last."""
    from mlstrata.services.monitor.names import WORKDIR as MONITOR
    from mlstrata.services.retention.kept import BY_SYSTEM

    return *(deployment.home / one for one in (*BY_SYSTEM, MONITOR)), releases_folder(deployment.home, "")


def folders_of(deployment: Deployment, system: str) -> list[Path]:
    """Return the folders with a system's data on this machine; what was released goes last."""
    return [parent / system for parent in _parents(deployment) if (parent / system).is_dir()]


def _folders(parent: Path) -> list[Path]:
    return sorted(one for one in parent.iterdir() if one.is_dir()) if parent.is_dir() else []


def _refuse_what_stands(deployment: Deployment, system: str) -> None:
    """Refuse to erase what a service may read or write.

    Raises:
        UsageError: the file declares the system, or the state has it still.
    """
    again = f"run `mlstrata up {deployment.name}`, then this again"
    if system in {one.name for one in deployment.spec.systems}:
        raise UsageError(f"{deployment.file}: systems: '{system}' is declared; remove it, {again}")
    if system in {one.name for one in deployment.state.of("AISystem")}:
        raise UsageError(f"{deployment.name}: '{system}' is removed from the file and runs still; {again}")


def _unknown(deployment: Deployment, system: str) -> UsageError:
    there = left_behind(deployment)
    hint = suggestion(system, there)
    return UsageError(
        f"{deployment.name} has no data of a removed system '{system}'; allowed {', '.join(there) or 'none'}"
        + (f"; {hint}" if hint else "")
    )


def _from_registry(local: Local, registry: Registry, system: str) -> None:
    """Erase the versions and runs of a system with their files; MLflow itself keeps what is only deleted.

    Raises:
        Failed: MLflow could not.
    """
    from mlstrata.clients.mlflow.access import QUIET, past_proxies, variables
    from mlstrata.components.registry.local import DATABASE

    if (experiment := registry.withdraw(system)) is None:
        return
    home = local.deployment.home
    past_proxies(registry.address)
    done = subprocess.run(
        [
            *(interpreter(), "-m", "mlflow", "gc", "--experiment-ids", experiment),
            *("--backend-store-uri", f"sqlite:///{home / DATABASE}", "--tracking-uri", registry.address),
        ],
        env={**worker.environment(), **QUIET, **variables(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or ["no error message"]
        raise Failed(f"{system}: `mlflow gc` exited with code {done.returncode}: {said[0]}; run this again")


def _from_runner(deployment: Deployment, system: str) -> int:
    """Erase what the runner knows of a system's runs, and their logs; return how many runs those were."""
    from mlstrata.services.catalog.sources import DATABASE
    from mlstrata.services.runner.store import Store

    if not (database := deployment.home / DATABASE).is_file():
        return 0
    store = Store(database)
    try:
        runs = store.erase(system)
    finally:
        store.close()
    for run in runs:
        for suffix in (".log", ".json"):
            (deployment.home / "logs/runs" / f"{run}{suffix}").unlink(missing_ok=True)
    return len(runs)


def _remove(folders: list[Path]) -> None:
    """Remove folders, in their order.

    Raises:
        Failed: one cannot be removed.
    """
    for folder in folders:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise Failed(f"{error.filename or folder}: cannot be removed ({error.strerror}); run this again") from None
