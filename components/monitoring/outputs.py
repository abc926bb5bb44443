"""What the monitoring hands over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pulumi

from mlstrata.components.site import Outputs


@dataclass(frozen=True)
class MonitoringOutputs(Outputs):
    """Prometheus and Alertmanager.

    Attributes:
        addresses: Their addresses; empty where the environment leaves alerts out.
        ready: What is scraped or alerted on waits for it.
    """

    addresses: Mapping[str, pulumi.Input[str]]
    ready: Sequence[pulumi.Resource] = ()

    @property
    def urls(self) -> Mapping[str, pulumi.Input[str]]:
        """Their addresses."""
        return self.addresses


@dataclass(frozen=True)
class LogsOutputs(Outputs):
    """The store of logs on a cluster.

    Attributes:
        url: Its address.
    """

    EXPORTED: ClassVar = {"logs": "url"}

    url: str
