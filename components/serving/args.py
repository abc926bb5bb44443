"""What the serving of a system is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pulumi

from mlstrata.components.local_host import Host
from mlstrata.components.supervision.ports import Ports
from mlstrata.environments.spec.recording import RecordingSpec
from mlstrata.environments.spec.serving import ExplainSpec, FallbackSpec
from mlstrata.services.alerts.settings import ServiceLevel
from mlstrata.services.serving.settings import OutputRange


@dataclass(frozen=True)
class Observers:
    """What looks at the predictions of a system.

    Attributes:
        recorder: Port of the recorder; None: nothing is recorded.
        high_risk: Whether the system is of the tier high: its records outlive a loss of power.
        recording: What is kept of each prediction.
        explain: How predictions are explained; None: they are not.
        fallback: What happens when the model is unsure; None: its answer stands.
        ranges: Input to its declared range.
    """

    recorder: pulumi.Input[int] | None = None
    high_risk: bool = False
    recording: RecordingSpec = field(default_factory=RecordingSpec)
    explain: ExplainSpec | None = None
    fallback: FallbackSpec | None = None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


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
        observers: What looks at its predictions.
    """

    host: Host
    system: str
    ports: Sequence[Ports]
    service_level: ServiceLevel
    output_range: OutputRange
    lock: Path | None = None
    observers: Observers = field(default_factory=Observers)
