"""What a registry is made from."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.host import Host


@dataclass(frozen=True)
class RegistryArgs:
    """Arguments of `Registry`.

    Attributes:
        host: Where it runs.
        port: Its loopback port.
    """

    host: Host
    port: pulumi.Input[int]
