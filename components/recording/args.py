"""What a recorder is made from."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from mlstrata.components.local_host import Host
from mlstrata.environments import EnvironmentSpec


@dataclass(frozen=True)
class RecorderArgs:
    """Arguments of `Recorder`.

    Attributes:
        host: Where it runs.
        port: Its loopback port.
        spec: The environment, whose systems it records.
    """

    host: Host
    port: pulumi.Input[int]
    spec: EnvironmentSpec
