"""A database that a dataset's query asks, as the jobs that read it see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlstrata.components.network_policies import ANYWHERE, Peer

if TYPE_CHECKING:
    from mlstrata.components.cluster import ClusterComponent

POSTGRES = 5432


@dataclass(frozen=True)
class Database:
    """A database; `ObjectStore` answers the same questions for a bucket.

    Attributes:
        address: `postgres://[ROLE@]HOST[:PORT]/DATABASE`.
        secret: Name of the secret with the name and the password of a role; one in each namespace that uses it.
        peers: Where it is, as network policies know it.
    """

    address: str
    secret: str
    peers: Sequence[Peer] = (ANYWHERE,)

    keys = ("username", "password")

    @property
    def port(self) -> int:
        """Return the port that it answers on."""
        return urlsplit(self.address).port or POSTGRES

    def variables(self) -> dict[str, str]:
        """Return none: its address is part of what is asked for."""
        return {}

    def credentials(self) -> dict[str, tuple[str, str]]:
        """Return the variables of its role, variable to the secret's name and the key in it."""
        return {"PGUSER": (self.secret, self.keys[0]), "PGPASSWORD": (self.secret, self.keys[1])}

    def read_by(self, component: ClusterComponent, namespace: str, why: str) -> None:
        """Record that a component's pods need its role in their namespace."""
        component.needs(namespace, self.secret, self.keys, why)
