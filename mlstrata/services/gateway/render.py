"""Envoy's files from the gateway's settings: what the Pulumi resources write at `up` and the rollout at a release.

Every function is pure. Envoy reloads a file only when it is renamed into its folder, as `mlstrata.files.write` does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlstrata.services.gateway.bootstrap import render_bootstrap, render_clusters
from mlstrata.services.gateway.limits import render_quotas, render_rates
from mlstrata.services.gateway.listener import render_listener, render_tokens
from mlstrata.services.gateway.routes import GatewayError, render_routes, routes_digest
from mlstrata.services.gateway.settings import (
    BOOTSTRAP_FILE,
    CLUSTERS_FILE,
    LISTENERS_FILE,
    QUOTAS_FILE,
    RATES_FILE,
    ROUTES_FILE,
    SETTINGS_FILE,
    TOKENS_FILE,
    GatewaySettings,
)
from mlstrata.services.serving.releases import Releases

__all__ = [
    "GatewayError",
    "command",
    "render_bootstrap",
    "render_clusters",
    "render_files",
    "render_listener",
    "render_quotas",
    "render_rates",
    "render_routes",
    "render_tokens",
    "routes_digest",
    "to_text",
]


def render_files(settings: GatewaySettings, releases: Mapping[str, Releases]) -> dict[str, str]:
    """Return every file of the gateway's folder: name to content."""
    return {
        # First what the others point to, so that no route is read before its cluster.
        SETTINGS_FILE: settings.to_json(),
        CLUSTERS_FILE: to_text(render_clusters(settings)),
        ROUTES_FILE: to_text(render_routes(settings, releases)),
        TOKENS_FILE: to_text(render_tokens(settings)),
        RATES_FILE: to_text(render_rates(settings)),
        QUOTAS_FILE: to_text(render_quotas(settings)),
        LISTENERS_FILE: to_text(render_listener(settings)),
        BOOTSTRAP_FILE: to_text(render_bootstrap(settings)),
    }


def command(binaries: Path, directory: Path, concurrency: int = 2) -> list[str]:
    """Return the command that runs the gateway of `directory` with the environment whose `bin` folder is `binaries`."""
    return [
        str(binaries / "envoy"),
        "--config-path",
        str(directory / BOOTSTRAP_FILE),
        # Several environments run on one machine, each its own Envoy, and none hands over to another.
        "--disable-hot-restart",
        "--concurrency",
        str(concurrency),
        "--file-flush-interval-msec",
        "500",
        "--log-level",
        "warning",
    ]


def to_text(document: Mapping[str, Any]) -> str:
    """Return `document` as the text of a file; the same document always gives the same text."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"
