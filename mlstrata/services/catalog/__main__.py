"""`python -m mlstrata.services.catalog --settings FILE`: the catalog's server, on loopback only."""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path

from pydantic import ValidationError

from mlstrata.services.catalog.settings import CatalogSettings
from mlstrata.services.runner.__main__ import LOOPBACK, Unusable, read_token
from mlstrata.services.runner.problems import plain


def main() -> int:
    """Serve until told to stop; 2 when the settings are wrong, 1 when the port is taken."""
    parser = argparse.ArgumentParser(
        prog="python -m mlstrata.services.catalog", description="Shows data, models and systems."
    )
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of CatalogSettings")
    path = parser.parse_args().settings
    try:
        settings = CatalogSettings.model_validate_json(path.read_text(encoding="utf-8"))
        token = read_token(settings.token_file)
    except (OSError, ValidationError, Unusable) as error:
        sys.stderr.write(f"{path}: {plain(error)}\n")
        return 2
    try:
        listening = socket.create_server((LOOPBACK, settings.port), backlog=128)
    except OSError as error:
        sys.stderr.write(f"port {settings.port} on {LOOPBACK} cannot be used: {error.strerror}; choose another\n")
        return 1
    serve(settings, token, listening)
    return 0


def serve(settings: CatalogSettings, token: str, listening: socket.socket) -> None:
    """Answer on a socket until SIGTERM or SIGINT; the process ends by that signal."""
    import uvicorn

    from mlstrata.services.catalog.app import build

    config = uvicorn.Config(
        build(settings, token),
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    sys.stdout.write(f"catalog listens on http://{LOOPBACK}:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    sys.exit(main())
