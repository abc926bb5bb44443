"""Versions of a system side by side, with what made each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlstrata.clients.mlflow import RegistryError, VersionView, differing
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError

__all__ = ["VersionView", "Versions", "versions"]

NEWEST = 4
"""Versions that are compared when none is named: as many as fit beside each other on a terminal."""


@dataclass(frozen=True)
class Versions:
    """Versions beside each other.

    Attributes:
        compared: The versions.
        champion: The version that answers; None: none does.
        differing: Settings that are not the same in all of them.
    """

    compared: tuple[VersionView, ...]
    champion: str | None
    differing: tuple[str, ...]


def versions(deployment: Deployment, system: str, wanted: Sequence[str] = ()) -> Versions:
    """Compare versions of a system, by default the newest and the champion.

    Raises:
        UsageError: the environment is not up, or has no such version.
        Failed: the registry does not answer.
    """
    deployment.system(system)
    target, name = deployment.target, deployment.name
    champion = target.champion(system)
    try:
        with target.registry() as registry:
            known = {str(one["version"]): one for one in registry.versions(system)}
            if missing := [version for version in wanted if version not in known]:
                raise UsageError(
                    f"version: got {', '.join(missing)}; registered of {system}: {', '.join(known) or 'none yet'}"
                )
            if not known:
                raise UsageError(f"{system} has no version yet: `mlstrata train {name} {system}`")
            chosen = list(dict.fromkeys(wanted)) or _newest(list(known), champion)
            compared = [registry.view(known[one]) for one in chosen]
    except RegistryError as error:
        raise Failed(f"{error}; `mlstrata status {name}`") from None
    return Versions(tuple(compared), champion, tuple(differing(compared)))


def _newest(known: list[str], champion: str | None) -> list[str]:
    """Return the newest versions, of which the champion is always one."""
    if champion not in known or champion in known[:NEWEST]:
        return known[:NEWEST]
    return [*known[: NEWEST - 1], str(champion)]
