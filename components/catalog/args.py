"""What a catalog is made from."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from mlstrata.components.local_host import Host
from mlstrata.environments import EnvironmentSpec


@dataclass(frozen=True)
class CatalogArgs:
    """Arguments of `Catalog`.

    Attributes:
        host: Where it runs.
        port: Its loopback port.
        registry: Address of the registry, which it asks for versions.
        spec: The environment that it shows.
    """

    host: Host
    port: pulumi.Input[int]
    registry: pulumi.Output[str]
    spec: EnvironmentSpec
