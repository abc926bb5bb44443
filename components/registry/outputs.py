"""What a registry hands over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pulumi

from mlstrata.components.site import Outputs


@dataclass(frozen=True)
class RegistryOutputs(Outputs):
    """The registry on this machine.

    Attributes:
        uri: The address that MLflow's clients take.
        access: The variables with which they say who they are; secret.
        sealing: The same, and the one with which what makes versions seals them; secret.
    """

    EXPORTED: ClassVar = {"mlflow": "uri"}

    uri: pulumi.Output[str]
    access: pulumi.Output[dict[str, str]]
    sealing: pulumi.Output[dict[str, str]]


@dataclass(frozen=True)
class ClusterRegistryOutputs(Outputs):
    """The registry on a cluster.

    Attributes:
        uri: Its address inside the cluster.
        ready: What its clients wait for.
    """

    EXPORTED: ClassVar = {"mlflow": "uri"}

    uri: str
    ready: Sequence[pulumi.Resource]
