"""The drill of a cluster's backup: its own commands, on a real Postgres with MLflow in it and a real S3 service."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient

from mlstrata.services.backup.postgres import DUMP, RESTORE
from mlstrata.services.registry.cluster import address, migrate
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_ports
from tests.support.postgres import OTHER, OWNER, Postgres, running

pytestmark = pytest.mark.local

BUCKET = "backups"
KEYS = {"AWS_ACCESS_KEY_ID": "drill", "AWS_SECRET_ACCESS_KEY": "only-in-this-test"}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., "subprocess.CompletedProcess[str]"]]:
    """An S3 service, and the job that copies into a bucket of it and back."""
    folder = tmp_path_factory.mktemp("objects")
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
    ports = dict(zip((*names, "s3.port", "s3.port.grpc"), free_ports(8), strict=True))
    actions = ["Admin", "Read", "Write", "List"]
    pair = {"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}
    (folder / "s3.json").write_text(
        json.dumps({"identities": [{"name": "drill", "credentials": [pair], "actions": actions}]})
    )
    (folder / "data").mkdir()
    own = [f"-filer.localSocket={folder}/f.sock", f"-s3.localSocket={folder}/s.sock", f"-s3.config={folder}/s3.json"]
    flags = ["-master.telemetry=false", "-master.electionTimeout=1s", "-filer", "-s3", "-s3.iam=false"]
    flags += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64", "-volume.max=0"]
    weed = [
        sys.executable,
        "-m",
        "mlstrata.services.storage.weed",
        str(Path(sys.executable).with_name("weed")),
        "server",
    ]
    weed += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}/data", *own, *flags]
    weed += [f"-{name}={port}" for name, port in ports.items()]
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    env = os.environ | KEYS | {"MLFLOW_S3_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(weed, stdout=log, stderr=log, cwd=folder)

    def job(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "mlstrata.services.backup", f"--to=s3://{BUCKET}/database", *arguments]
        return subprocess.run(command, env=env | more, capture_output=True, text=True, check=False)

    def answers() -> bool:
        assert server.poll() is None, (folder / "log").read_text()
        try:
            urlopen(f"{endpoint}/healthz", timeout=PATIENCE).close()
        except (URLError, OSError):
            return False
        return True

    try:
        eventually(answers)
        import boto3

        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=pair["accessKey"],
            aws_secret_access_key=pair["secretKey"],
        )
        client.create_bucket(Bucket=BUCKET)
        yield job
    finally:
        server.terminate()
        server.wait(PATIENCE)


@pytest.fixture(scope="module")
def registry(postgres: Postgres) -> MlflowClient:
    """MLflow over that Postgres, with the driver that its image has, and one version in it."""
    uri = address(f"postgresql://{OWNER}@127.0.0.1:{postgres.port}/{OWNER}")
    assert migrate(uri) == "made"
    assert migrate(uri) == "upgraded", "a second start finds its tables"
    client = MlflowClient(uri, uri)
    run = client.create_run(client.create_experiment("mortgage-approval"))
    client.log_metric(run.info.run_id, "auc", 0.818)
    client.create_registered_model("mortgage-approval")
    client.create_model_version("mortgage-approval", "mlflow-artifacts:/1", run.info.run_id)
    client.set_registered_model_alias("mortgage-approval", "champion", "1")
    postgres.ask(OTHER, "CREATE TABLE features (name text); INSERT INTO features VALUES ('pirat')")
    return client


def facts(client: MlflowClient) -> list[tuple[str, str, float]]:
    """What the registry knows: each version with its aliases and its run's figure."""
    return [
        (str(one.version), ",".join(one.aliases), client.get_run(one.run_id).data.metrics["auc"])
        for one in (client.get_model_version(found.name, found.version) for found in client.search_model_versions())
    ]


def test_the_databases_come_back_from_the_bucket(postgres, bucket, registry, tmp_path):
    before = facts(registry)
    assert before == [("1", "champion", 0.818)]
    (tmp_path / "out").mkdir()
    postgres.script(DUMP, tmp_path / "out")
    copied = bucket(f"--folder={tmp_path / 'out'}", "--keep=14")
    assert copied.returncode == 0, copied.stderr

    registry.delete_registered_model("mortgage-approval")
    postgres.ask(OTHER, "DROP TABLE features")
    assert facts(registry) == []

    back = bucket(f"--folder={tmp_path / 'back'}", "--restore=newest")
    assert back.returncode == 0, back.stderr
    postgres.script(RESTORE, tmp_path / "back")
    assert facts(registry) == before
    assert postgres.ask(OTHER, "SELECT name FROM features") == "pirat"


def test_a_dump_cut_short_restores_nothing_of_its_database(postgres, registry, tmp_path):
    postgres.script(DUMP, tmp_path)
    before = facts(registry)
    dump = tmp_path / f"{OWNER}.dump"
    os.truncate(dump, dump.stat().st_size - 4096)
    refused = postgres.script(RESTORE, tmp_path, check=False)
    assert refused.returncode != 0
    assert facts(registry) == before != []


def test_a_database_that_cannot_be_dumped_fails_the_job(postgres, registry, tmp_path):
    del registry
    gone = postgres.run(
        ["bash", "-euo", "pipefail", "-c", DUMP], check=False, FOLDER=str(tmp_path), DATABASES="nobody-made-it"
    )
    assert gone.returncode != 0
    assert "nobody-made-it" in gone.stderr


def test_a_service_that_refuses_is_said_with_its_place(bucket, tmp_path):
    (tmp_path / "x.dump").write_bytes(b"x")
    done = bucket(f"--folder={tmp_path}", AWS_SECRET_ACCESS_KEY="wrong")
    assert done.returncode == 1
    assert done.stderr.startswith(f"s3://{BUCKET}/database: ")
    assert "Traceback" not in done.stderr
