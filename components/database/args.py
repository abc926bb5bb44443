"""What a database is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.components.cluster import Cluster
from mlstrata.components.network_policies import Peer

PORT, STATUS, METRICS = 5432, 8000, 9187
"""Of Postgres, of the instance manager beside it, which the operator asks, and of its metrics."""
SECRET_KEYS = ("username", "password", "uri")


@dataclass(frozen=True)
class Server:
    """A Postgres as its clients see it.

    Attributes:
        host: Its name.
        secret: Secret with its username, password and uri, in the platform's namespace.
        peers: Where it is, as network policies know it.
        port: Its port.
    """

    host: str
    secret: str
    peers: Sequence[Peer]
    port: int = PORT


@dataclass(frozen=True)
class DatabaseArgs:
    """Arguments of `Database`.

    Attributes:
        cluster: Where.
        callers: Who may reach it.
        operators: Namespace of the operator.
        shared: The operator is somebody else's, who opens that namespace.
        size: Of its volume.
        after: What must be there before it: its operator.
    """

    cluster: Cluster
    callers: Sequence[Peer]
    operators: str
    shared: bool = False
    size: str = "20Gi"
    after: Sequence[pulumi.Resource] = ()
