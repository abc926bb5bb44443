"""`python -m services.registry DATABASE ARGUMENT…`: `mlflow server ARGUMENT…` over a SQLite database that is whole."""

from __future__ import annotations

import sys
from pathlib import Path

from services.registry.database import prepare


def main() -> None:
    """Make the database if need be, then be MLflow's server, in this process: its imports are paid once."""
    database = Path(sys.argv[1])
    prepare(database)
    from mlflow.cli import cli

    cli.main(
        args=["server", "--backend-store-uri", f"sqlite:///{database}", *sys.argv[2:]],
        prog_name="mlflow",
    )


if __name__ == "__main__":
    main()
