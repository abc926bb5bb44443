"""`python -m mlstrata.services.registry.cluster`: MLflow's server behind a password, over the Postgres of a cluster.

Everything secret comes in variables, as a cluster hands out secrets: `MLFLOW_BACKEND_STORE_URI` (the database's address
with its password) and `MLFLOW_TRACKING_PASSWORD` (the password at the door).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mlstrata.clients.mlflow.access import USER
from mlstrata.services import http
from mlstrata.services.registry.encryption import encrypt, encryption
from mlstrata.services.registry.guard import Guard
from mlstrata.services.registry.server import variables

HOSTS = "MLFLOW_SERVER_ALLOWED_HOSTS"
DATABASE, PASSWORD = "MLFLOW_BACKEND_STORE_URI", "MLFLOW_TRACKING_PASSWORD"
DRIVER = "postgresql+pg8000://"
"""The driver that comes with the image; its licence is BSD, where the default one's is LGPL."""


CARRIERS = range(64, 128)
"""Second figure of 100.64.0.0/10, which clusters whose networks are small take their pods' addresses from."""


def migrate(uri: str) -> str:
    """Make the tables of an empty database, or bring those of an older MLflow up to this one's.

    Returns:
        What was done: `made` or `upgraded`; tables that are there already are upgraded by nothing.
    """
    import sqlalchemy  # type: ignore[import-not-found,unused-ignore]

    # Pinned with MLflow: its public `db upgrade` refuses a database without the first tables.
    from mlflow.store.db.utils import _initialize_tables, _upgrade_db, create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(uri)  # type: ignore[no-untyped-call]
    try:
        if sqlalchemy.inspect(engine).has_table("alembic_version"):
            _upgrade_db(engine)  # type: ignore[no-untyped-call]
            return "upgraded"
        _initialize_tables(engine)  # type: ignore[no-untyped-call]
        return "made"
    finally:
        engine.dispose()


def address(uri: str) -> str:
    """Return a database's address with the driver that is installed."""
    for plain in ("postgresql://", "postgres://"):
        if uri.startswith(plain):
            return DRIVER + uri.removeprefix(plain)
    return uri


def allowed(names: Sequence[str], port: int) -> list[str]:
    """Return the hosts that it answers to: its own names, this machine's, and private addresses.

    By itself MLflow refuses every name but this machine's, which no other pod asks for; probes and Prometheus come by a
    pod's address. MLflow reads them as it is imported, so they are not asked of it.
    """
    private = ["10.*", "192.168.*", *(f"172.{one}.*" for one in range(16, 32)), *(f"100.{one}.*" for one in CARRIERS)]
    return [*(one for name in (*names, "localhost", "127.0.0.1") for one in (name, f"{name}:{port}")), *private]


def main() -> int:
    """Migrate, then answer until told to stop; 2 when a variable is missing or wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m mlstrata.services.registry.cluster", description="The registry of models."
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--artifacts-destination", required=True, help="s3://bucket/prefix")
    parser.add_argument("--hosts", required=True, help="names that it is asked by, parted by commas")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of its request counts")
    given = parser.parse_args()
    if missing := [name for name in (DATABASE, PASSWORD) if not os.environ.get(name)]:
        sys.stderr.write(f"{' and '.join(missing)}: not set; they come from the secrets that the deployment names\n")
        return 2
    try:
        uri, context = encryption(address(os.environ.pop(DATABASE)))
    except ValueError as error:
        sys.stderr.write(f"{DATABASE}: {error}\n")
        return 2
    encrypt(context)
    os.environ.update(variables(uri, given.artifacts_destination, given.metrics))
    os.environ[HOSTS] = ",".join(allowed(given.hosts.split(","), given.port))
    migrate(uri)

    def app() -> Guard:
        from mlflow.server.fastapi_app import app as mlflow

        return Guard(mlflow, USER, os.environ[PASSWORD])

    # A pod is its own machine: network policies say who reaches it, and the guard who enters.
    return http.run("registry", given.port, app, host="0.0.0.0")  # noqa: S104 - in a pod


if __name__ == "__main__":
    sys.exit(main())
