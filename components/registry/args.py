"""What a registry is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from mlstrata.components.local_host import Host


@dataclass(frozen=True)
class RegistryArgs:
    """Arguments of `Registry`.

    Attributes:
        host: Where it runs.
        port: Its loopback port.
        artifacts: Where models and other artifacts lie, as MLflow takes it: a folder, or `s3://bucket/prefix`.
        access: Variables with which MLflow gets at them; none of them secret.
        after: What they need to be up.
    """

    host: Host
    port: pulumi.Input[int]
    artifacts: str
    access: pulumi.Input[Mapping[str, str]] = field(default_factory=dict)
    after: Sequence[pulumi.Resource] = ()
