"""`python -m mlstrata.services.monitor --settings FILE`: watches the systems of an environment, on loopback only."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.services import http
from mlstrata.services.monitor.settings import MonitorSettings

if TYPE_CHECKING:
    from mlstrata.services.recording.store import Store


def main() -> int:
    """Serve until told to stop; 2 when the settings are wrong, 1 when the port is taken."""
    return http.main("mlstrata.services.monitor", "Watches the systems of an environment.", MonitorSettings, serve)


def serve(settings: MonitorSettings, token: str) -> int:
    """Look and answer until SIGTERM or SIGINT."""
    from mlstrata.services.monitor.app import build
    from mlstrata.services.monitor.rounds import Monitor

    return http.run("monitor", settings.port, lambda: build(Monitor(settings, opened), token))


def opened(home: Path) -> Store:
    """Open the store of an environment to read it.

    Raises:
        FileNotFoundError: Nothing was recorded yet.
    """
    from mlstrata.services.recording.sqlite import open_store

    return open_store(home, read_only=True)


if __name__ == "__main__":
    sys.exit(main())
