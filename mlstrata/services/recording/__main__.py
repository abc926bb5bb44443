"""`python -m mlstrata.services.recording --settings FILE`: the recorder's server, on loopback only."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from mlstrata.services import http
from mlstrata.services.recording.settings import RecorderSettings

if TYPE_CHECKING:
    from starlette.applications import Starlette


def main() -> int:
    """Serve until told to stop; 2 when the settings are wrong, 1 when the port is taken or the store is none."""
    return http.main("mlstrata.services.recording", "Keeps what was predicted.", RecorderSettings, serve)


def serve(settings: RecorderSettings, token: str) -> int:
    """Answer until SIGTERM or SIGINT."""
    from mlstrata.services.recording.store import StoreUnreadableError

    with ExitStack() as held:
        try:
            return http.run("recorder", settings.port, lambda: _app(settings, token, held), grace=10)
        except (StoreUnreadableError, ValueError) as error:
            sys.stderr.write(f"{error}\n")
            return 1


def _app(settings: RecorderSettings, token: str, held: ExitStack) -> Starlette:
    from mlstrata.services.gateway.names import ACCESS_LOG
    from mlstrata.services.recording.adoption import Adopting
    from mlstrata.services.recording.app import build
    from mlstrata.services.recording.completeness import Completeness
    from mlstrata.services.recording.names import COMPLETENESS
    from mlstrata.services.recording.sqlite import open_store
    from mlstrata.services.recording.upkeep import Looking, Retention

    store = open_store(settings.home, shares=settings.shares)
    held.callback(store.close)
    followed = Completeness(
        settings.home / ACCESS_LOG, settings.home / COMPLETENESS, settings.systems, store.missing, time.time()
    )
    looking, upkeep = Looking(followed), (Retention(settings, store), Adopting(settings.home, store))
    return build(settings, store, token, lambda: looking.missing, (looking, *upkeep))


if __name__ == "__main__":
    sys.exit(main())
