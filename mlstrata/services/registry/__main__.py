"""`python -m mlstrata.services.registry DATABASE …`: MLflow's server behind a password, over a whole database."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mlstrata.services.registry.database import prepare
from mlstrata.services.registry.server import ServerSettings, serve
from mlstrata.services.storage.stores import StorageError


def main() -> int:
    """Make the database if need be, then be MLflow's server, in this process: its imports are paid once."""
    parser = argparse.ArgumentParser(prog="python -m mlstrata.services.registry", description="The registry of models.")
    parser.add_argument("database", type=Path, help="SQLite file; made when absent")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--artifacts-destination", required=True, help="folder, or s3://bucket/prefix")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of its request counts")
    parser.add_argument("--password-file", type=Path, required=True, help="file, mode 0600, with the password")
    given = parser.parse_args()
    prepare(given.database)
    try:
        return serve(
            ServerSettings(
                database=given.database,
                host=given.host,
                port=given.port,
                artifacts=given.artifacts_destination,
                metrics=given.metrics,
                password_file=given.password_file,
            )
        )
    except (OSError, ValueError, StorageError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
