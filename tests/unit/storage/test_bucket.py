"""The store of a cluster that has none: the very server and bucket that the objects name, as processes."""

import http.client
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pulumi
import pytest

from mlstrata.components.cluster import Cluster, Ownership
from mlstrata.components.storage.kubernetes import Store, StoreArgs
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.recorded import record

ROOT = Path(__file__).parents[3]
WEED = Path(sys.executable).with_name("weed")
KEYS = {"AWS_ACCESS_KEY_ID": "clusterkey", "AWS_SECRET_ACCESS_KEY": "a-long-secret"}


@pytest.fixture(scope="module")
def containers() -> tuple[dict, dict]:
    """The server's container and the bucket maker's, as an environment on a cluster has them."""
    cluster = Cluster("dev", "mlstrata", Ownership("a@example.com"), {"seaweedfs": "s", "runtime": "r"})
    graph = record(lambda: Store("storage", StoreArgs(cluster, "models")) and pulumi.export("x", 1))

    def container(kind: str, name: str) -> dict:
        return graph.one(kind, name).inputs["spec"]["template"]["spec"]["containers"][0]

    return container("StatefulSet", "storage"), container("Job", "storage-bucket")


@pytest.fixture(scope="module")
def store(containers, tmp_path_factory) -> Iterator[str]:
    """The server with its own arguments; only addresses and ports are this machine's."""
    folder = tmp_path_factory.mktemp("store")
    # Its gRPC ports are 10000 above the others by default, which may be taken here.
    parts = ("master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "s3", "s3.grpc", "metrics")
    ports = dict(zip(parts, free_ports(len(parts)), strict=True))
    changed = {
        "-dir": str(folder),
        "-ip.bind": "127.0.0.1",
        "-s3.port": str(ports["s3"]),
        "-metricsPort": str(ports["metrics"]),
    }
    own = [one.partition("=") for one in containers[0]["args"]]
    arguments = [f"{name}={changed[name]}" if name in changed else f"{name}{sign}{value}" for name, sign, value in own]
    assert changed.keys() <= {name for name, _, _ in own}
    extra = [
        f"-{part.replace('.grpc', '')}.port{'.grpc' if 'grpc' in part else ''}={ports[part]}" for part in parts[:8]
    ]
    command = [str(WEED), *arguments, *(one for one in extra if not one.startswith("-s3.port="))]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), **KEYS}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environ, cwd=folder, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{ports['s3']}"
    finally:
        process.terminate()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for part in ("master", "volume", "filer", "s3"):
            with suppress(OSError):
                Path(f"/tmp/seaweedfs-{part}-grpc-{ports[f'{part}.grpc']}.sock").unlink()  # noqa: S108 - its own choice


def make(containers, store: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the job's own command."""
    maker = containers[1]
    told = {one["name"]: one["value"] for one in maker["env"] if "value" in one}
    environ = {"PATH": os.environ["PATH"], **told, **KEYS, "AWS_ENDPOINT_URL_S3": store, **changes}
    command = [sys.executable, *maker["command"][1:], *maker["args"]]
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)


class Relay:
    """Passes requests on to the store, and remembers how each was answered."""

    def __init__(self, store: str) -> None:
        self.answers: list[int] = []
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                connection = http.client.HTTPConnection(urlsplit(store).netloc, timeout=PATIENCE)
                connection.request("PUT", self.path, body, dict(self.headers))
                answer = connection.getresponse()
                relay.answers.append(answer.status)
                content = answer.read()
                self.send_response(answer.status)
                for name, value in {**dict(answer.headers), "content-length": str(len(content))}.items():
                    if name.lower() not in ("transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
                connection.close()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Relay":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def client(store: str):
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=store,
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )


def test_the_job_waits_for_the_server_makes_its_bucket_once_and_keeps_what_is_overwritten(containers, store):
    first = make(containers, store)
    assert (first.returncode, first.stdout) == (0, "models: made\n"), first.stderr
    assert make(containers, store).stdout == "models: there\n"
    s3 = client(store)
    for body in (b"one", b"two"):
        s3.put_object(Bucket="models", Key="key", Body=body)
    versions = s3.list_object_versions(Bucket="models", Prefix="key")["Versions"]
    assert len(versions) == 2
    assert s3.get_object(Bucket="models", Key="key")["Body"].read() == b"two"


def test_nobody_with_other_keys_gets_in(containers, store):
    with Relay(store) as relay:
        assert make(containers, relay.url).returncode == 0
        relay.answers.clear()
        done = make(containers, relay.url, AWS_SECRET_ACCESS_KEY="guessed")
    assert done.returncode == 1
    assert "bucket models cannot be made" in done.stderr
    assert "Traceback" not in done.stderr
    assert relay.answers == [403], "what is refused is not asked for again"
