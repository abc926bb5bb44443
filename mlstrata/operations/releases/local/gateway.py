"""The gateway as the rollout uses it: routes from the releases, and the wait until they are in force."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any, Protocol

from mlstrata.files import write_private
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.services.gateway.render import GatewayError, render_routes, routes_digest, to_text
from mlstrata.services.gateway.routes import HEALTH_PATH, ROUTES_HEADER
from mlstrata.services.gateway.settings import ROUTES_FILE, GatewaySettings
from mlstrata.services.serving.releases import Releases

_POLL_S = 0.02
# Envoy's threads take new routes one after the other, within a millisecond or so.
_AGREEING = 5


class Routed(Protocol):
    """What the gateway of an environment is asked with."""

    @property
    def gateway_url(self) -> str:
        """Address of the gateway."""

    @property
    def gateway_timeout_s(self) -> float:
        """Longest wait for new routes to be in force."""

    @property
    def gateway_directory(self) -> Path:
        """The folder Envoy watches."""

    def gateway_trust(self) -> ssl.SSLContext | bool:
        """Return what the gateway's certificate is checked against."""

    def releases(self, system: str) -> Releases:
        """Return what was released of `system`."""


def write_routes(backend: Routed) -> dict[str, Any]:
    """Write the routes that the releases of every system ask for, and return them.

    Raises:
        RolloutError: there is no gateway, or no routes can be made.
    """
    try:
        settings = GatewaySettings.read(backend.gateway_directory)
    except FileNotFoundError:
        raise RolloutError(
            f"no gateway is configured in {backend.gateway_directory}; bring the environment up"
        ) from None
    except ValueError as error:
        raise RolloutError(f"the gateway's settings in {backend.gateway_directory} cannot be read: {error}") from error
    releases = {system.name: backend.releases(system.name) for system in settings.systems}
    try:
        routes = render_routes(settings, releases)
    except GatewayError as error:
        raise RolloutError(str(error)) from error
    write_private(backend.gateway_directory / ROUTES_FILE, to_text(routes))
    return routes


def await_routes(backend: Routed, routes: dict[str, Any]) -> None:
    """Return once the gateway follows `routes`.

    Raises:
        RolloutError: it does not within the backend's timeout.
    """
    import httpx

    wanted = routes_digest(routes)
    end = time.monotonic() + backend.gateway_timeout_s
    agreed, last = 0, "no answer"
    # Each request on a connection of its own, so that each may be another thread of Envoy's.
    trust = backend.gateway_trust()
    with httpx.Client(headers={"connection": "close"}, timeout=2, trust_env=False, verify=trust) as client:
        while agreed < _AGREEING:
            try:
                response = client.get(backend.gateway_url + HEALTH_PATH)
                last = response.headers.get(ROUTES_HEADER, f"status {response.status_code}")
            except httpx.TransportError as error:
                last = f"no answer ({error})"
            agreed = agreed + 1 if last == wanted else 0
            if agreed:
                continue
            if time.monotonic() > end:
                late = f"did not take the new routes in {backend.gateway_timeout_s:g} s"
                reason = f"wanted {wanted}, got {last}; its log says why"
                raise RolloutError(f"the gateway at {backend.gateway_url} {late}: {reason}")
            time.sleep(_POLL_S)
