"""What the serving of systems hands over, and how its services are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from mlstrata.components.gateway.outputs import Backend
from mlstrata.components.site import Outputs
from mlstrata.environments.spec.system import SystemSpec


def serving_name(system: str, number: int = 1) -> str:
    """Return the name of the service that serves a system, or of its process `number` where there are several.

    A system's name begins with a letter, so no process has the name of another system's.
    """
    return f"serving-{system}" if number == 1 else f"serving-{number}-{system}"


def copies(system: SystemSpec) -> range:
    """Return the numbers of a system's prediction processes on one machine: as many as answer at rest."""
    return range(1, system.serving.replicas.min + 1)


@dataclass(frozen=True)
class Endpoint:
    """Where a system answers.

    Attributes:
        system: The AI system.
        ports: Loopback ports of its prediction processes, the first one's first.
    """

    system: str
    ports: tuple[pulumi.Output[int], ...]


@dataclass(frozen=True)
class ServingOutputs(Outputs):
    """The systems that answer requests on this machine.

    Attributes:
        endpoints: Where each answers, by its name.
    """

    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterServingOutputs(Outputs):
    """The systems that answer requests on a cluster.

    Attributes:
        backends: What answers for each, by its name.
    """

    backends: Mapping[str, Sequence[Backend]]
