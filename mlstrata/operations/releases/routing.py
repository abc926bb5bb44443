"""The gateway as the rollout uses it: routes from the releases, and the wait until they are in force."""

from __future__ import annotations

import time
from typing import Any

from mlstrata.clients.errors import RolloutError
from mlstrata.files import write_private
from mlstrata.operations.releases.context import RolloutContext
from mlstrata.services.gateway.render import GatewayError, render_routes, routes_digest
from mlstrata.services.gateway.routes import HEALTH_PATH, ROUTES_HEADER
from mlstrata.services.gateway.settings import ROUTES_FILE, GatewaySettings

_POLL_S = 0.02
# Envoy's threads take new routes one after the other, within a millisecond or so.
_AGREEING = 5


def write_routes(context: RolloutContext) -> dict[str, Any]:
    """Write the routes that the releases of every system ask for, and return them.

    Raises:
        RolloutError: there is no gateway, or no routes can be made.
    """
    try:
        settings = GatewaySettings.read(context.gateway_directory)
    except FileNotFoundError:
        raise RolloutError(
            f"no gateway is configured in {context.gateway_directory}; bring the environment up"
        ) from None
    except ValueError as error:
        raise RolloutError(f"the gateway's settings in {context.gateway_directory} cannot be read: {error}") from error
    releases = {system.name: context.releases(system.name) for system in settings.systems}
    try:
        routes = render_routes(settings, releases)
    except GatewayError as error:
        raise RolloutError(str(error)) from error
    write_private(context.gateway_directory / ROUTES_FILE, routes)
    return routes


def await_routes(context: RolloutContext, routes: dict[str, Any]) -> None:
    """Return once the gateway follows `routes`.

    Raises:
        RolloutError: it does not within the context's timeout.
    """
    import httpx

    wanted = routes_digest(routes)
    end = time.monotonic() + context.gateway_timeout_s
    agreed, last = 0, "no answer"
    # Each request on a connection of its own, so that each may be another thread of Envoy's.
    trust = context.gateway_trust()
    with httpx.Client(headers={"connection": "close"}, timeout=2, trust_env=False, verify=trust) as client:
        while agreed < _AGREEING:
            try:
                response = client.get(context.gateway_url + HEALTH_PATH)
                last = response.headers.get(ROUTES_HEADER, f"status {response.status_code}")
            except httpx.TransportError as error:
                last = f"no answer ({error})"
            agreed = agreed + 1 if last == wanted else 0
            if agreed:
                continue
            if time.monotonic() > end:
                late = f"did not take the new routes in {context.gateway_timeout_s:g} s"
                reason = f"wanted {wanted}, got {last}; its log says why"
                raise RolloutError(f"the gateway at {context.gateway_url} {late}: {reason}")
            time.sleep(_POLL_S)
