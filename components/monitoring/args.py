"""What a monitoring is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.host import Host


@dataclass(frozen=True)
class MonitoringArgs:
    """Arguments of `Monitoring`.

    Attributes:
        host: Where it runs.
        prometheus_port: Loopback port of Prometheus.
        alertmanager_port: Loopback port of Alertmanager.
        resources_port: Loopback port of what measures the services and logs alerts.
        retention_days: How long metrics are kept, in days.
        contributions: Targets and rules of other components, to be there before Prometheus starts.
    """

    host: Host
    prometheus_port: pulumi.Input[int]
    alertmanager_port: pulumi.Input[int]
    resources_port: pulumi.Input[int]
    retention_days: int
    contributions: Sequence[pulumi.Resource]
