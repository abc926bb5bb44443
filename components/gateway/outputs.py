"""What the gateway hands over, and what answers behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pulumi

from mlstrata.components.site import Outputs

NAME = "gateway"
"""Of the gateway, and of what it is made from on a cluster."""


def owned_by(namespace: str) -> dict[str, str]:
    """Return the labels of the Envoy pods of a namespace's gateway."""
    return {
        "gateway.envoyproxy.io/owning-gateway-namespace": namespace,
        "gateway.envoyproxy.io/owning-gateway-name": NAME,
    }


@dataclass(frozen=True)
class Backend:
    """What a predictor answers on.

    Attributes:
        service: Its service.
        port: The service's port.
        weight: Its share of the traffic, in parts of the sum.
    """

    service: str
    port: int
    weight: int = 100


@dataclass(frozen=True)
class GatewayOutputs(Outputs):
    """The gateway on this machine.

    Attributes:
        url: The address that consumers call.
    """

    EXPORTED: ClassVar = {"gateway": "url"}

    url: pulumi.Output[str]


@dataclass(frozen=True)
class ClusterGatewayOutputs(Outputs):
    """The gateway on a cluster.

    Attributes:
        ready: What attaches to it waits for.
    """

    ready: Sequence[pulumi.Resource]
