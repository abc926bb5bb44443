"""`python -m mlstrata.services.catalog --settings FILE`: the catalog's server, on loopback only."""

from __future__ import annotations

import sys

from mlstrata.services import http
from mlstrata.services.catalog.settings import CatalogSettings


def main() -> int:
    """Serve until told to stop; 2 when the settings are wrong, 1 when the port is taken."""
    return http.main("mlstrata.services.catalog", "Shows data, models and systems.", CatalogSettings, serve)


def serve(settings: CatalogSettings, token: str, host: str = http.LOOPBACK) -> int:
    """Answer until SIGTERM or SIGINT; 2 when the operators' token cannot be used."""
    from mlstrata.services.catalog.app import build

    try:
        operator = None if settings.operator_file is None else http.read_secret(settings.operator_file)
    except (OSError, http.Unusable) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return http.run("catalog", settings.port, lambda: build(settings, token, operator), host=host)


if __name__ == "__main__":
    sys.exit(main())
