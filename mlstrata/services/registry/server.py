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
from mlstrata.services import http
from mlstrata.services.registry.guard import App, Guard
from mlstrata.services.registry.health import Health
from mlstrata.services.storage.settings import BucketStore
from mlstrata.services.storage.stores import Bucket


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


def serve(settings: ServerSettings) -> int:
    """Answer until told to stop; return 1 when the port cannot be used.

    Raises:
        ValueError: the password file is open to others, or holds no password; the artifacts are elsewhere.
        OSError: there is no such file.
        StorageError: the bucket of its artifacts cannot be used.
    """
    password = http.read_secret(settings.password_file)
    claim(settings.database, settings.artifacts)
    bucket = _bucket(settings.artifacts)
    if bucket is not None:
        bucket.prepare()
    os.environ.update(variables(f"sqlite:///{settings.database}", settings.artifacts, settings.metrics))

    def app() -> App:
        from mlflow.server.fastapi_app import app as mlflow

        return Guard(mlflow if bucket is None else Health(mlflow, bucket.probe), USER, password)

    return http.run("registry", settings.port, app, host=settings.host)


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


def variables(store: str, artifacts: str, metrics: Path) -> dict[str, str]:
    """Return what `mlflow server` would hand to its application.

    Args:
        store: Address of the database.
        artifacts: Where models and other artifacts are kept: a folder, or `s3://bucket/prefix`.
        metrics: Folder in which it counts its requests.
    """
    return {
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifacts,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
        "prometheus_multiproc_dir": str(metrics),
    }
