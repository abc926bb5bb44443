"""`python -m mlstrata.services.recording.cluster --settings FILE`: the recorder in a cluster, over its Postgres.

Any number of copies may run. What is secret comes in variables, as a cluster hands out secrets:
`MLSTRATA_RECORDER_TOKEN` of whoever reads, tells feedback and erases, `MLSTRATA_RECORDER_APPEND_TOKEN` of what
predicts, which may append and do nothing else, and `MLSTRATA_RECORDER_DATABASE`, the server's address with its
password.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from mlstrata import waiting
from mlstrata.services import http
from mlstrata.services.problems import plain
from mlstrata.services.recording.address import Address
from mlstrata.services.recording.names import APPEND_TOKEN, STORE_ADDRESS, TOKEN
from mlstrata.services.recording.settings import ClusterRecorderSettings

if TYPE_CHECKING:
    from starlette.applications import Starlette

EVERYWHERE = "0.0.0.0"  # noqa: S104 - a pod is its own machine
PATIENCE_S, PAUSE_S = 600.0, 5.0
"""How long a database that is away is waited for at the start, and the pause between two tries, in seconds."""


def main() -> int:
    """Serve until told to stop; 2 when settings or secrets are wrong, 1 when port or store cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m mlstrata.services.recording.cluster", description="Keeps what was predicted."
    )
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of ClusterRecorderSettings")
    path = parser.parse_args().settings
    try:
        settings = ClusterRecorderSettings.model_validate_json(path.read_text(encoding="utf-8"))
        tokens = tuple(http.checked_secret(os.environ.get(name, ""), name) for name in (TOKEN, APPEND_TOKEN))
        address = address_of(os.environ, settings.database)
    except (OSError, ValidationError, ValueError) as error:
        sys.stderr.write(f"{path}: {plain(error)}\n")
        return 2
    return serve(settings, address, (tokens[0], tokens[1]))


def address_of(variables: Mapping[str, str], database: str) -> Address:
    """Return where what is recorded lies.

    Raises:
        ValueError: The variable has no address; the message has no password.
    """
    try:
        return Address.parse(variables.get(STORE_ADDRESS, ""), database)
    except ValueError as error:
        raise ValueError(f"{STORE_ADDRESS}: {error}") from None


def serve(settings: ClusterRecorderSettings, address: Address, tokens: tuple[str, str]) -> int:
    """Answer until SIGTERM or SIGINT."""
    from mlstrata.services.recording.store import StoreAwayError, StoreUnreadableError

    with ExitStack() as held:
        try:
            return http.run(
                "recorder", settings.port, lambda: _app(settings, address, tokens, held), host=EVERYWHERE, grace=10
            )
        except (StoreAwayError, StoreUnreadableError) as error:
            sys.stderr.write(f"{error}\n")
            return 1


def _app(settings: ClusterRecorderSettings, address: Address, tokens: tuple[str, str], held: ExitStack) -> Starlette:
    from mlstrata.services.recording.app import build
    from mlstrata.services.recording.distributed import open_store
    from mlstrata.services.recording.store import StoreAwayError
    from mlstrata.services.recording.upkeep import Retention

    def tell(error: Exception) -> None:
        sys.stderr.write(f"recorder: the database does not answer, it is waited for: {error}\n")

    def is_away(error: Exception) -> bool:
        return isinstance(error, StoreAwayError)

    store = waiting.retry(lambda: open_store(address, shares=settings.shares), PATIENCE_S, is_away, PAUSE_S, first=tell)
    held.callback(store.close)
    token, appending = tokens
    # Who was answered what is in Envoy's own log there, which nothing here reads: what is missing nobody can say.
    return build(settings, store, token, None, (Retention(settings, store),), appending=appending)


if __name__ == "__main__":
    sys.exit(main())
