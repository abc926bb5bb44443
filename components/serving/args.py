"""What the serving of a system is made from."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.host import Host
from components.supervision.ports import Ports
from services.alerts.settings import Promise


@dataclass(frozen=True)
class ServingArgs:
    """Arguments of `Serving`.

    Attributes:
        host: Where it runs.
        system: The AI system.
        ports: Its ports `http`, `grpc` and `metrics`.
        promise: What its consumers were promised.
        probability_range: Predictions outside of it are implausible and not given out.
    """

    host: Host
    system: str
    ports: Ports
    promise: Promise
    probability_range: tuple[float, float]


def serving_name(system: str) -> str:
    """Return the name of the service that serves a system."""
    return f"serving-{system}"


@dataclass(frozen=True)
class Endpoint:
    """Where a system answers.

    Attributes:
        system: The AI system.
        port: Loopback port of its prediction process.
    """

    system: str
    port: pulumi.Output[int]
