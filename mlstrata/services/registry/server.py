"""MLflow's server with a guard in front, in one process.

`mlflow server` starts a second process for the application, and so pays for MLflow's imports twice; what it does
besides is hand over its options in variables, which is done here. Pinned with MLflow: the variables are its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mlstrata import files
from mlstrata.clients.mlflow.access import USER
from mlstrata.services.registry.guard import App, Guard
from mlstrata.services.registry.health import Health
from mlstrata.services.storage.settings import BucketStore
from mlstrata.services.storage.stores import Bucket

_LEAST_PASSWORD = 16


@dataclass(frozen=True)
class ServerSettings:
    """What the server is started with.

    Attributes:
        database: the SQLite file, whole.
        host: address to listen on.
        port: port to listen on.
        artifacts: where models and other artifacts are kept: a folder, or `s3://bucket/prefix`.
        metrics: folder in which it counts its requests.
        password_file: file that holds the password.
    """

    database: Path
    host: str
    port: int
    artifacts: str
    metrics: Path
    password_file: Path


def serve(settings: ServerSettings) -> None:
    """Answer until told to stop.

    Raises:
        ValueError: the password file is open to others, or holds no password; the artifacts are elsewhere.
        OSError: there is no such file.
        StorageError: the bucket of its artifacts cannot be used.
    """
    password = read_password(settings.password_file)
    claim(settings.database, settings.artifacts)
    bucket = _bucket(settings.artifacts)
    if bucket is not None:
        bucket.prepare()
    os.environ.update(variables(settings))
    import uvicorn
    from mlflow.server.fastapi_app import app

    served: App = app
    if bucket is not None:
        served = Health(app, bucket.probe)
    # Its default log has a line a request and would grow with every scrape.
    uvicorn.run(
        Guard(served, USER, password),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="warning",
        server_header=False,
    )


def claim(database: Path, artifacts: str) -> None:
    """Remember where the artifacts of a database are, and refuse another place unless a migration moved them there.

    Raises:
        ValueError: they are elsewhere: the registry would know of models and have none of their files.
    """
    mark = database.with_name("artifacts.location")
    try:
        known = mark.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        known = artifacts
    moved = (database.parents[1] / "storage/migration.json").exists()
    if known != artifacts and not moved:
        raise ValueError(
            f"the artifacts of {database} are in {known}, not in {artifacts}: declare the storage they are in, bring "
            "the environment up, then declare the other one and run `mlstrata migrate`"
        )
    files.write(mark, f"{artifacts}\n")


def _bucket(artifacts: str) -> Bucket | None:
    """Return the bucket of the artifacts, as its address and the variables say; None where they lie in a folder."""
    if not artifacts.startswith("s3://"):
        return None
    bucket, _, prefix = artifacts.removeprefix("s3://").partition("/")
    return Bucket(
        BucketStore(
            bucket=bucket,
            prefix=prefix,
            endpoint=os.environ["MLFLOW_S3_ENDPOINT_URL"],
            credentials=Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]),
            own=os.environ.get("MLSTRATA_STORE_OWN") == "true",
            versioning=os.environ.get("MLSTRATA_STORE_VERSIONING") == "true",
        )
    )


def variables(settings: ServerSettings) -> dict[str, str]:
    """Return what `mlflow server` would hand to its application."""
    return {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{settings.database}",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": settings.artifacts,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
        "prometheus_multiproc_dir": str(settings.metrics),
    }


def read_password(path: Path) -> str:
    """Read the password from a file that only its owner can read.

    Raises:
        ValueError: others can read the file, or the password is too short to be one.
        OSError: there is no such file.
    """
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise ValueError(f"{path} has mode {mode:04o}; only its owner may read it: chmod 600")
    password = path.read_text(encoding="utf-8").strip()
    if len(password) < _LEAST_PASSWORD:
        raise ValueError(f"{path} holds {len(password)} characters; at least {_LEAST_PASSWORD} are needed")
    return password
