"""`python -m mlstrata.services.runner --settings FILE`: the runner's server, on loopback only."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.services import http
from mlstrata.services.runner.contract import RunnerSettings

if TYPE_CHECKING:
    from starlette.applications import Starlette


def main() -> int:
    """Serve until told to stop; 2 when the settings are wrong, 1 when the port is taken."""
    return http.main("mlstrata.services.runner", "Runs pipelines on this machine.", RunnerSettings, serve)


def serve(settings: RunnerSettings, token: str) -> int:
    """Answer until SIGTERM or SIGINT, then end what runs."""
    with ExitStack() as held:
        return http.run("runner", settings.port, lambda: _app(settings, token, held), grace=10)


def _app(settings: RunnerSettings, token: str, held: ExitStack) -> Starlette:
    from mlstrata.services.catalog.events import EVENTS
    from mlstrata.services.catalog.openlineage import Teller
    from mlstrata.services.runner.app import build
    from mlstrata.services.runner.runs import Runs
    from mlstrata.services.runner.store import Store

    store = Store(settings.database)
    held.callback(store.close)
    teller = Teller(store, settings.database.with_name(Path(EVENTS).name))
    teller.catch_up()
    store.on_change = teller.tell
    runs = Runs(store, settings.logs, concurrency=settings.concurrency)
    return build(settings, runs, token, time.time)


if __name__ == "__main__":
    sys.exit(main())
