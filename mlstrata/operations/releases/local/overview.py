"""What serves, what should, and where the two differ."""

from __future__ import annotations

from dataclasses import dataclass

from mlstrata.clients.mlflow import RegistryError
from mlstrata.operations.releases.aliases import CHALLENGER
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.local.backend import LocalBackend
from mlstrata.services.serving.releases import Releases


@dataclass(frozen=True)
class SystemStatus:
    """The releases of one system, as its parts have them.

    Attributes:
        system: the system.
        releases: what was decided.
        latest: the newest registered version; None when there is none or the registry does not answer.
        alias: the version with the champion alias in the registry.
        in_memory: the versions that a prediction process has loaded.
        differences: where the parts disagree or do not answer, a sentence each; empty when all is well.
    """

    system: str
    releases: Releases
    latest: str | None
    alias: str | None
    in_memory: tuple[str, ...]
    differences: tuple[str, ...]


def status(backend: LocalBackend, system: str) -> SystemStatus:
    """Ask every part what it has of `system`; a part that does not answer is a difference, not an error.

    Raises:
        RolloutError: there is no such system, or its releases cannot be read.
    """
    processes = backend.processes(system)
    registry = backend.registry
    releases = backend.releases(system)
    differences: list[str] = []
    latest = alias = None
    in_memory: tuple[str, ...] = ()
    try:
        latest, alias = registry.latest(system), registry.champion(system)
        if alias != releases.champion:
            differences.append(
                f"the registry's champion is {alias or 'none'}, released is {releases.champion or 'none'}"
            )
        if releases.rollout and (other := registry.alias(system, CHALLENGER)) != releases.challenger:
            differences.append(f"the registry's challenger is {other or 'none'}, being tried is {releases.challenger}")
    except RegistryError as error:
        differences.append(str(error))
    for number, process in enumerate(processes, 1):
        try:
            held = process.loaded()
        except RolloutError as error:
            differences.append(str(error))
            continue
        in_memory = tuple(sorted({*in_memory, *held}, key=int))
        if missing := [version for version in releases.loaded if version not in held]:
            which = f" {number}" if len(processes) > 1 else ""
            differences.append(f"the prediction process{which} lacks version {', '.join(missing)}")
    if not releases.settled:
        differences.append("the last release or rollback did not end; run it once more")
    return SystemStatus(system, releases, latest, alias, in_memory, tuple(differences))
