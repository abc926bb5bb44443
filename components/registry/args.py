"""What a registry is made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.host import Host


@dataclass(frozen=True)
class RegistryArgs:
    """Arguments of `Registry`.

    Attributes:
        host: Where it runs.
        port: Its loopback port.
        artifacts: Folder of models and other artifacts.
    """

    host: Host
    port: pulumi.Input[int]
    artifacts: Path
