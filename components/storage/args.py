"""What a store of objects is made from."""

from __future__ import annotations

from dataclasses import dataclass

from mlstrata.components.local_host import Host
from mlstrata.components.supervision.ports import Ports


@dataclass(frozen=True)
class ObjectsArgs:
    """Arguments of `Objects`.

    Attributes:
        host: Where it runs.
        ports: Its ports, named as in PORTS.
    """

    host: Host
    ports: Ports
