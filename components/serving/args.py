"""What the serving of a system is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlstrata.components.local_host import Host
from mlstrata.components.supervision.ports import Ports
from mlstrata.services.alerts.settings import ServiceLevel


@dataclass(frozen=True)
class ServingArgs:
    """Arguments of `Serving`.

    Attributes:
        host: Where it runs.
        system: The AI system.
        ports: The ports `http`, `grpc` and `metrics` of each of its processes, the first one's first.
        service_level: The objectives of its service level.
        output_range: Predictions outside of it are implausible and not given out; None: what the model says of itself.
        lock: The system's own requirements; None: it has none.
    """

    host: Host
    system: str
    ports: Sequence[Ports]
    service_level: ServiceLevel
    output_range: tuple[float, float] | None
    lock: Path | None = None
