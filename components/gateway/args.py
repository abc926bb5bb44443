"""What a gateway is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlstrata.components.gateway.ending import Ending
from mlstrata.components.local_host import Host
from mlstrata.components.serving.outputs import Endpoint
from mlstrata.components.supervision.ports import Ports
from mlstrata.services.gateway.rotation import Rotation
from mlstrata.services.gateway.settings import Consumer, Deprecation


@dataclass(frozen=True)
class LocalRoute:
    """The way to one system.

    Attributes:
        endpoint: Where the system answers.
        consumers: Who may call it and how often.
        timeout_s: The longest wait for an answer, in seconds.
        body_limit: The largest request body, in bytes.
        api_versions: The versions of its interface.
        deprecations: Those on their way out.
        ending: When the system is retired, and what takes over.
    """

    endpoint: Endpoint
    consumers: tuple[Consumer, ...]
    timeout_s: float
    body_limit: int
    api_versions: tuple[str, ...] = ("v1",)
    deprecations: tuple[Deprecation, ...] = ()
    ending: Ending = field(default_factory=Ending)


@dataclass(frozen=True)
class GatewayArgs:
    """Arguments of `Gateway`.

    Attributes:
        host: Where it runs.
        ports: Its ports `gateway` and `gateway_admin`.
        issuer: The issuer of the tokens that it takes.
        routes: The systems behind it.
        rotation: Which keys sign and are accepted.
    """

    host: Host
    ports: Ports
    issuer: str
    routes: Sequence[LocalRoute]
    rotation: Rotation = field(default_factory=Rotation)
