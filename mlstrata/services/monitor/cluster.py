"""`python -m mlstrata.services.monitor.cluster --settings FILE`: the monitor in a cluster, over its Postgres.

What is secret comes in variables, as a cluster hands out secrets: `MLSTRATA_MONITOR_TOKEN` of whoever reads verdicts,
`MLSTRATA_RECORDER_DATABASE`, the address of the server that has what is recorded, and the registry's password as
`MLFLOW_TRACKING_PASSWORD`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pydantic import ValidationError

from mlstrata.services import http
from mlstrata.services.monitor.names import TOKEN
from mlstrata.services.monitor.settings import ClusterMonitorSettings
from mlstrata.services.problems import plain
from mlstrata.services.recording.address import Address
from mlstrata.services.recording.cluster import EVERYWHERE, address_of


def main() -> int:
    """Serve until told to stop; 2 when settings or secrets are wrong, 1 when the port is taken."""
    parser = argparse.ArgumentParser(
        prog="python -m mlstrata.services.monitor.cluster", description="Watches the systems of an environment."
    )
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of ClusterMonitorSettings")
    path = parser.parse_args().settings
    try:
        settings = ClusterMonitorSettings.model_validate_json(path.read_text(encoding="utf-8"))
        token = http.checked_secret(os.environ.get(TOKEN, ""), TOKEN)
        address = address_of(os.environ, settings.database)
    except (OSError, ValidationError, ValueError) as error:
        sys.stderr.write(f"{path}: {plain(error)}\n")
        return 2
    return serve(settings, address, token)


def serve(settings: ClusterMonitorSettings, address: Address, token: str) -> int:
    """Look and answer until SIGTERM or SIGINT."""
    from mlstrata.clients.mlflow import Registry
    from mlstrata.services.monitor.app import build
    from mlstrata.services.monitor.following import Following
    from mlstrata.services.monitor.rounds import Monitor
    from mlstrata.services.recording.distributed import open_store

    following = Following(settings.home, Registry(settings.registry))

    def monitor() -> Monitor:
        return Monitor(settings, lambda _: open_store(address, read_only=True), follow=following.look)

    return http.run("monitor", settings.port, lambda: build(monitor(), token), host=EVERYWHERE)


if __name__ == "__main__":
    sys.exit(main())
