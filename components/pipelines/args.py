"""What the pipelines are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from mlstrata.components.local_host import Host
from mlstrata.environments import SystemSpec


@dataclass(frozen=True)
class PipelinesArgs:
    """Arguments of `Pipelines`.

    Attributes:
        host: Where they run.
        environment: The environment's name.
        root: The workspace, which a data set's relative path starts from.
        port: The runner's loopback port.
        tracking_uri: Address of the registry that models go to.
        registry_access: The variables with which a client of the registry says who it is; secret.
        systems: The systems that are trained here.
    """

    host: Host
    environment: str
    root: Path
    port: pulumi.Input[int]
    tracking_uri: pulumi.Output[str]
    registry_access: pulumi.Output[dict[str, str]]
    systems: Sequence[SystemSpec]
