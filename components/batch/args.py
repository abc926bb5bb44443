"""What the scheduled scoring is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.components.local_host import Host
from mlstrata.services.batch.settings import BatchSystem

SERVICE = "batch"


@dataclass(frozen=True)
class BatchArgs:
    """Arguments of `Batch`.

    Attributes:
        host: Where it runs.
        port: Loopback port of its health and metrics.
        systems: What is scored, and when.
    """

    host: Host
    port: pulumi.Input[int]
    systems: Sequence[BatchSystem]
