"""The gateway's routes as text, from the settings that the state records and the releases of the moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlstrata.components.supervision.files import read
from mlstrata.components.supervision.values import SupervisionError
from mlstrata.services.gateway.render import GatewayError, render_routes, to_text
from mlstrata.services.gateway.settings import ROUTES_FILE, GatewaySettings
from mlstrata.services.serving.releases import Releases


def render(props: Mapping[str, Any]) -> str:
    """Return the routes' text from the settings in `props` and the releases on disk.

    Raises:
        SupervisionError: A file of releases is broken, or names what is not behind the gateway.
    """
    settings = GatewaySettings.model_validate_json(props["settings"])
    try:
        releases = {system: Releases.read(Path(folder)) for system, folder in (props.get("releases") or {}).items()}
        return to_text(render_routes(settings, releases))
    except (GatewayError, ValueError) as error:
        raise SupervisionError(f"the gateway's routes cannot be rendered: {error}") from error


def condition(props: Mapping[str, Any]) -> str:
    """Compare the file of routes with a fresh rendering: `as rendered`, or what is wrong."""
    found = read(Path(props["directory"]) / ROUTES_FILE)
    try:
        return "missing" if found is None else "as rendered" if found == render(props) else "edited"
    except SupervisionError as error:
        return str(error)
