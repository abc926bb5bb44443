"""What a learning process is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from mlstrata.components.local_host import Host


@dataclass(frozen=True)
class LearningArgs:
    """Arguments of `Learning`.

    Attributes:
        host: Where it runs.
        environment: The environment's name.
        root: The workspace with the environment's file.
        port: Its loopback port.
        owners: System that may learn by itself to who is told where a person has to look.
    """

    host: Host
    environment: str
    root: Path
    port: pulumi.Input[int]
    owners: Mapping[str, str]
