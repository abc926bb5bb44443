"""The gateway as the rollout uses it: routes from the releases, and the wait until they are in force."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlstrata import waiting
from mlstrata.files import write_private
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.services.gateway.render import GatewayError, render_routes, routes_digest, to_text
from mlstrata.services.gateway.routes import HEALTH_PATH, ROUTES_HEADER
from mlstrata.services.gateway.settings import CA_FILE, ROUTES_FILE, GatewaySettings
from mlstrata.services.serving.releases import Releases

_POLL_S = 0.02
# Envoy's threads take new routes one after the other, within a millisecond or so.
_AGREEING = 5


@dataclass(frozen=True)
class Gateway:
    """The gateway of an environment on this machine.

    Attributes:
        url: its address.
        directory: the folder Envoy watches.
        timeout_s: longest wait until new routes are in force; that takes well under one second.
    """

    url: str
    directory: Path
    timeout_s: float

    def write(self, releases: Callable[[str], Releases]) -> dict[str, Any]:
        """Write the routes that the releases of every system ask for, and return them.

        Args:
            releases: Gives what was released of a system.

        Raises:
            RolloutError: there is no gateway, or no routes can be made.
        """
        try:
            settings = GatewaySettings.read(self.directory)
        except FileNotFoundError:
            raise RolloutError(f"no gateway is configured in {self.directory}; bring the environment up") from None
        except ValueError as error:
            raise RolloutError(f"the gateway's settings in {self.directory} cannot be read: {error}") from error
        try:
            routes = render_routes(settings, {system.name: releases(system.name) for system in settings.systems})
        except GatewayError as error:
            raise RolloutError(str(error)) from error
        write_private(self.directory / ROUTES_FILE, to_text(routes))
        return routes

    def follow(self, routes: dict[str, Any]) -> None:
        """Return once `routes` are in force.

        Raises:
            RolloutError: they are not in time.
        """
        import httpx

        wanted = routes_digest(routes)
        trust = self._trust()
        # Each request on a connection of its own, so that each may be another thread of Envoy's.
        with httpx.Client(headers={"connection": "close"}, timeout=10, trust_env=False, verify=trust) as client:

            def ask() -> str:
                try:
                    response = client.get(self.url + HEALTH_PATH)
                except httpx.TransportError as error:
                    return f"no answer ({error})"
                return str(response.headers.get(ROUTES_HEADER, f"status {response.status_code}"))

            followed, last = waiting.steadily(ask, wanted.__eq__, _AGREEING, self.timeout_s, _POLL_S)
        if not followed:
            late = f"did not take the new routes in {self.timeout_s:g} s"
            reason = f"wanted {wanted}, got {last}; its log says why"
            raise RolloutError(f"the gateway at {self.url} {late}: {reason}")

    def _trust(self) -> ssl.SSLContext | bool:
        """Return what the gateway's certificate is checked against: the environment's own authority.

        Raises:
            RolloutError: its file is not there.
        """
        if not self.url.startswith("https:"):
            return True
        try:
            return ssl.create_default_context(cafile=str(self.directory / CA_FILE))
        except OSError as error:
            raise RolloutError(f"{self.directory / CA_FILE}: {error}; bring the environment up") from error
