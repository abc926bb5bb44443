"""What a store of objects is made from."""

from __future__ import annotations

from dataclasses import dataclass

from mlstrata.components.local_host import Host
from mlstrata.components.supervision.ports import Ports

SERVICE = "storage"
PORTS = ("s3", "s3_grpc", "master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc", "metrics")
CREDENTIALS_FILE = f"config/{SERVICE}/credentials"
"""The access keys' place in an environment's home, in AWS's format; readable by its owner alone."""


@dataclass(frozen=True)
class ObjectsArgs:
    """Arguments of `Objects`.

    Attributes:
        host: Where it runs.
        ports: Its ports, named as in PORTS.
    """

    host: Host
    ports: Ports
