"""What a monitor is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from mlstrata.components.local_host import Host
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.system import SystemSpec


@dataclass(frozen=True)
class MonitorArgs:
    """Arguments of `Monitor`.

    Attributes:
        host: Where it runs.
        port: Its loopback port.
        spec: The environment whose systems it watches.
    """

    host: Host
    port: pulumi.Input[int]
    spec: EnvironmentSpec


@dataclass(frozen=True)
class WatchArgs:
    """Arguments of `Watch`.

    Attributes:
        host: Where Prometheus evaluates its rules.
        system: The system.
        rules: Name of a file of rules to its text.
    """

    host: Host
    system: SystemSpec
    rules: Mapping[str, str]
