"""`python -m mlstrata.services.registry.cluster`: MLflow's server behind a password, over the Postgres of a cluster.

Everything secret comes in variables, as a cluster hands out secrets: `MLFLOW_BACKEND_STORE_URI` (the database's address
with its password) and `MLFLOW_TRACKING_PASSWORD` (the password at the door).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mlstrata import waiting
from mlstrata.clients.mlflow.access import USER
from mlstrata.services import http
from mlstrata.services.registry.encryption import encrypt, encryption
from mlstrata.services.registry.guard import Guard
from mlstrata.services.registry.health import DATABASE as DOWN
from mlstrata.services.registry.health import Health
from mlstrata.services.registry.server import variables

HOSTS = "MLFLOW_SERVER_ALLOWED_HOSTS"
DATABASE, PASSWORD = "MLFLOW_BACKEND_STORE_URI", "MLFLOW_TRACKING_PASSWORD"
DRIVER = "postgresql+pg8000://"
"""The driver that comes with the image; its licence is BSD, where the default one's is LGPL."""

PATIENCE_S, PAUSE_S = 600.0, 5.0
"""How long a database that is away is waited for at the start, and the pause between two tries, in seconds."""
_REASON = 300

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


def _prepared(uri: str) -> str:
    """Migrate, once the database is there; return why that is not possible, or nothing."""
    from sqlalchemy.exc import InterfaceError, OperationalError

    def tell(error: Exception) -> None:
        sys.stderr.write(f"registry: the database does not answer, it is waited for: {_reason(error)}\n")

    def is_away(error: Exception) -> bool:
        return isinstance(error, (InterfaceError, OperationalError))

    try:
        waiting.retry(lambda: migrate(uri), PATIENCE_S, is_away, PAUSE_S, first=tell)
    except (InterfaceError, OperationalError) as error:
        return f"the database did not answer for {PATIENCE_S:g} s: {_reason(error)}"
    return ""


def _reason(error: Exception) -> str:
    """Return what a driver says in a line, without the statement; neither has the password."""
    return str(getattr(error, "orig", error)).partition("\n")[0][:_REASON]


def _probe(uri: str) -> Callable[[], None]:
    """Return what asks a database for nothing, over a connection of its own, and raises what is wrong."""
    import sqlalchemy

    # Checked before it is used: after a database's restart the kept connection is a dead one.
    engine = sqlalchemy.create_engine(uri, pool_size=1, max_overflow=0, pool_timeout=5, pool_pre_ping=True)

    def ask() -> None:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT 1"))

    return ask


def address(uri: str) -> str:
    """Return a database's address with the driver that is installed."""
    for plain in ("postgresql://", "postgres://"):
        if uri.startswith(plain):
            return DRIVER + uri.removeprefix(plain)
    return uri


def allowed(names: Sequence[str], port: int) -> list[str]:
    """Return the hosts that it answers to: its own names, this machine's, and private addresses.

    By itself MLflow refuses every name but this machine's, which no other pod asks for; probes and Prometheus come by a
    pod's address, and `kubectl port-forward` by loopback at whatever port is free on the other side. MLflow reads them
    as it is imported, so they are not asked of it.
    """
    own = [f"{one}{end}" for one in ("localhost", "127.0.0.1") for end in ("", ":*")]
    private = ["10.*", "192.168.*", *(f"172.{one}.*" for one in range(16, 32)), *(f"100.{one}.*" for one in CARRIERS)]
    return [*(one for name in names for one in (name, f"{name}:{port}")), *own, *private]


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
    if problem := _prepared(uri):
        sys.stderr.write(f"{DATABASE}: {problem}\n")
        return 1

    def app() -> Guard:
        from mlflow.server.fastapi_app import app as mlflow

        well = Health(mlflow, _probe(uri), what=DOWN, whole=True)
        return Guard(well, USER, os.environ[PASSWORD])

    # A pod is its own machine: network policies say who reaches it, and the guard who enters.
    return http.run("registry", given.port, app, host="0.0.0.0")  # noqa: S104 - in a pod


if __name__ == "__main__":
    sys.exit(main())
