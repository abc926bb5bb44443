"""`python -m mlstrata.services.catalog --settings FILE`: the catalog's server, on loopback only."""

from __future__ import annotations

import sys

from mlstrata.services import http
from mlstrata.services.catalog.settings import CatalogSettings


def main() -> int:
    """Serve until told to stop; 2 when the settings are wrong, 1 when the port is taken."""
    return http.main("mlstrata.services.catalog", "Shows data, models and systems.", CatalogSettings, serve)


def serve(settings: CatalogSettings, token: str, host: str = http.LOOPBACK) -> int:
    """Answer until SIGTERM or SIGINT."""
    from mlstrata.services.catalog.app import build

    return http.run("catalog", settings.port, lambda: build(settings, token), host=host)


if __name__ == "__main__":
    sys.exit(main())
