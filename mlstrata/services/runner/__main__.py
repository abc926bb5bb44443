"""`python -m mlstrata.services.runner --settings FILE`: the runner's server, on loopback only."""

from __future__ import annotations

import argparse
import socket
import sys
import time
from pathlib import Path

from pydantic import ValidationError

from mlstrata.services.runner.contract import RunnerSettings
from mlstrata.services.runner.problems import plain
from mlstrata.services.runner.schedules import bad_schedules

LOOPBACK = "127.0.0.1"
LEAST_TOKEN = 16


class Unusable(Exception):
    """The settings cannot be used."""


def main() -> int:
    """Serve until told to stop; 2 when the settings are wrong, 1 when the port is taken."""
    parser = argparse.ArgumentParser(
        prog="python -m mlstrata.services.runner", description="Runs pipelines on this machine."
    )
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of RunnerSettings")
    path = parser.parse_args().settings
    try:
        settings = read_settings(path)
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


def read_settings(path: Path) -> RunnerSettings:
    """Read the settings file.

    Raises:
        Unusable: A schedule's time is no cron.
        ValidationError: The file does not hold `RunnerSettings`.
        OSError: There is no such file.
    """
    settings = RunnerSettings.model_validate_json(path.read_text(encoding="utf-8"))
    if problems := bad_schedules(settings.schedules):
        raise Unusable("; ".join(problems))
    return settings


def serve(settings: RunnerSettings, token: str, listening: socket.socket) -> None:
    """Answer on a socket until SIGTERM or SIGINT, then end what runs; the process ends by that signal."""
    import uvicorn

    from mlstrata.services.catalog.events import EVENTS
    from mlstrata.services.catalog.openlineage import Teller
    from mlstrata.services.runner.app import build
    from mlstrata.services.runner.runs import Runs
    from mlstrata.services.runner.store import Store

    store = Store(settings.database)
    teller = Teller(store, settings.database.with_name(Path(EVENTS).name))
    teller.catch_up()
    store.on_change = teller.tell
    runs = Runs(store, settings.logs, concurrency=settings.concurrency)
    config = uvicorn.Config(
        build(settings, runs, token, time.time),
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    sys.stdout.write(f"runner listens on http://{LOOPBACK}:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        runs.store.close()


def read_token(path: Path) -> str:
    """Read the bearer token from a file that only its owner can read.

    Raises:
        Unusable: Others can read the file, or the token is too short to be one.
        OSError: There is no such file.
    """
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise Unusable(f"token_file: {path} has mode {mode:04o}; only its owner may read it: chmod 600")
    token = path.read_text(encoding="utf-8").strip()
    if len(token) < LEAST_TOKEN:
        raise Unusable(f"token_file: {path} holds {len(token)} characters; at least {LEAST_TOKEN} are needed")
    return token


if __name__ == "__main__":
    sys.exit(main())
