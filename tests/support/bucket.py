"""An S3 service on this machine: SeaweedFS, with one bucket's keys."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.patience import eventually
from tests.support.ports import free_ports

KEYS = {"AWS_ACCESS_KEY_ID": "datakey", "AWS_SECRET_ACCESS_KEY": "a-long-secret"}
PARTS = ("master", "volume", "filer", "s3")


def client(url: str, keys: dict[str, str] = KEYS) -> Any:
    """Ask it as somebody with keys."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )


@contextmanager
def serving(folder: Path, bucket: str) -> Iterator[str]:
    """Have it answer over a folder, with a bucket made; yields its address."""
    ports = free_ports(2 * len(PARTS))
    chosen = dict(zip([*PARTS, *(f"{one}.grpc" for one in PARTS)], ports, strict=True))
    flags = [
        f"-{part}.port{'.grpc' if grpc else ''}={chosen[f'{part}.grpc' if grpc else part]}"
        for part in PARTS
        for grpc in (False, True)
    ]
    weed = str(Path(sys.executable).with_name("weed"))
    command = [
        weed,
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-filer",
        f"-s3.config={folder}/users.json",
        "-s3",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=4",
        *flags,
    ]
    known = {"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}
    (folder / "users.json").write_text(
        json.dumps({"identities": [{"name": "data", "credentials": [known], "actions": ["Admin"]}]})
    )
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environ, cwd=folder, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{chosen['s3']}"
    try:

        def made() -> bool:
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            with suppress(Exception):
                client(url).create_bucket(Bucket=bucket)
                client(url).put_object(Bucket=bucket, Key="ready", Body=b"yes")
                return True
            return False

        eventually(made)
        yield url
    finally:
        process.kill()
        process.wait()
        for part in PARTS:
            with suppress(OSError):
                Path(f"/tmp/seaweedfs-{part}-grpc-{chosen[f'{part}.grpc']}.sock").unlink()  # noqa: S108 - its own choice
