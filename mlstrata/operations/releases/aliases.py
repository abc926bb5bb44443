"""What the registry says of versions while a rollout runs: aliases, and a tag with each one's share of the traffic."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.clients.mlflow import RegistryError
from mlstrata.operations.releases.backend import Backend
from mlstrata.services.serving.releases import Releases

CHALLENGER, SHADOW = "challenger", "shadow"
TRAFFIC = "traffic"
"""The tag of a version: percent of the requests, or `shadow`."""
_ALL = 100


def traffic(releases: Releases) -> dict[str, str]:
    """Return version to what it gets of the requests."""
    if releases.champion is None:
        return {}
    running = releases.rollout
    if running is None:
        return {releases.champion: str(_ALL)}
    ours = "shadow" if running.strategy == "shadow" else str(running.share)
    return {releases.champion: str(_ALL - running.share), running.candidate: ours}


def settle_aliases(backend: Backend, system: str, before: Releases, after: Releases) -> Iterator[str]:
    """Have the registry say what was decided; yield what it did not take, which the next decision mends.

    Where no rollout ran or runs there is nothing to say beside the champion's alias.
    """
    if before.rollout is None and after.rollout is None and before.settled:
        return
    told = dict.fromkeys(traffic(before), "0") | traffic(after)
    try:
        registry = backend.registry
        registry.set_alias(system, CHALLENGER, after.challenger)
        registry.set_alias(system, SHADOW, after.shadow)
        for version, share in told.items():
            registry.tag(system, version, TRAFFIC, share)
    except RegistryError as error:
        yield f"the registry does not say yet which version gets what: {error}"
