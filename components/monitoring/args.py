"""What a monitoring is made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pulumi

from mlstrata.components.local_host import Host


@dataclass(frozen=True)
class MonitoringArgs:
    """Arguments of `Monitoring`.

    Attributes:
        host: Where it runs; what it was given is there before Prometheus starts.
        alerts: Loopback ports of Prometheus and Alertmanager; None where the environment leaves alerts out.
        resources_port: Loopback port of what measures the services, logs alerts and archives the gateway's log.
        retention: How long metrics and the gateway's log are kept.
        keeping: The text of the file that says what else is kept how long (`RetentionSettings`).
        learner: Port and token file of the learning process, which is told of alerts with a cause; None: there is none.
        gateway_admin: Loopback port of the admin interface of the gateway whose log is archived; None: there is none.
    """

    host: Host
    alerts: tuple[pulumi.Input[int], pulumi.Input[int]] | None
    resources_port: pulumi.Input[int]
    retention: timedelta
    keeping: pulumi.Input[str]
    gateway_admin: pulumi.Input[int] | None = None
    learner: tuple[pulumi.Input[int], str] | None = None
