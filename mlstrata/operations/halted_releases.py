"""Helm releases that a killed run left half made: their records are removed, so that the next run installs them anew.

Helm refuses to install a name that has a record, and to upgrade one whose record says that this is under way. What was
installed stays where it is: it carries the release's name, by which the next installation takes it over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mlstrata.clients.kubernetes import Cluster, Kind, Missing

SECRETS = Kind("", "v1", "Secret", "secrets")
_RELEASE = "kubernetes:helm.sh/v3:Release"
_UNDER_WAY = ("pending-install", "pending-upgrade", "pending-rollback")


@dataclass(frozen=True)
class Halted:
    """A release whose run was killed.

    Attributes:
        name: Its name.
        namespace: Where its records are.
        unknown: Whether the state does not have it, so that the next run creates it; else the next run upgrades it.
    """

    name: str
    namespace: str
    unknown: bool

    @property
    def labels(self) -> Mapping[str, str | tuple[str, ...]]:
        """Return what the records in the way are labelled with."""
        own: dict[str, str | tuple[str, ...]] = {"owner": "helm", "name": self.name}
        return own if self.unknown else {**own, "status": _UNDER_WAY}


def halted(deployment: Mapping[str, Any]) -> tuple[Halted, ...]:
    """Return the releases that a deployment, as the CLI exports it, says were begun and not ended."""
    return tuple(_of(deployment.get("pending_operations") or ()))


def _of(operations: Any) -> Iterator[Halted]:
    for one in operations:
        inputs = one["resource"].get("inputs") or {}
        name, namespace = inputs.get("name"), inputs.get("namespace")
        if one["resource"].get("type") == _RELEASE and isinstance(name, str) and isinstance(namespace, str):
            yield Halted(name, namespace, unknown=one["type"] == "creating")


def clear(cluster: Cluster, one: Halted) -> bool:
    """Remove the records that are in a release's way; return whether there was one.

    Raises:
        ClusterError: they may not be read or deleted, or the cluster does not answer.
    """
    found = cluster.list(SECRETS, one.namespace, labels=one.labels)
    for record in found:
        with suppress(Missing):
            cluster.delete(SECRETS, record["metadata"]["name"], one.namespace)
    return bool(found)
