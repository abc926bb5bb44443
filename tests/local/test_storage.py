"""The artifacts of a platform move to a bucket and back: killed at any moment, nothing is lost, and it goes on."""

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mlstrata.clients.mlflow.access import PASSWORD_FILE, header, variables
from mlstrata.services.storage.migration import JOURNAL, MANIFEST, Phase, read
from tests.support.command import ROOT, Platform, assert_one_message
from tests.support.models import registered
from tests.support.patience import eventually

pytestmark = pytest.mark.local

SYSTEM = "mortgage-approval"
# As behind a company's proxy, which knows nothing of this machine's own store.
NO_WAY_OUT = {"HTTP_PROXY": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}


def stored(platform: Platform, kind: str) -> None:
    """Have the file ask for this kind of storage."""
    file = platform.workspace.environment_file("local")
    text = re.sub(r"(?m)^storage:.*\n", "", file.read_text(encoding="utf-8"))
    file.write_text(re.sub(r"(?m)^stage:", f"storage: {{kind: {kind}}}\nstage:", text), encoding="utf-8")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    made = Platform(tmp_path_factory.mktemp("stores"))
    made.declare("prerequisites")
    stored(made, "folder")
    try:
        made.up()
        registered(made, SYSTEM)
        done = made.run("release", "local", SYSTEM, "--version", "1", "--yes", "--json")
        assert done.code == 0, done.text
        yield made
    finally:
        made.end()


def folder_of(platform: Platform) -> Path:
    return platform.home / "data/mlflow/artifacts"


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def artifact(platform: Platform, name: str) -> bytes:
    """Read an artifact through the registry, as any of its clients does."""
    url = f"{platform.exports()['urls']['mlflow']}/api/2.0/mlflow-artifacts/artifacts/{name}"
    answer = httpx.get(url, headers=header(variables(platform.home)), trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.content


def released_anew(platform: Platform) -> None:
    """Have the only version's files fetched from the registry once more, and answer."""
    serving = platform.home / "data/serving" / SYSTEM
    before = digests(serving / "models/1")
    shutil.rmtree(serving / "models/1")
    done = platform.run("release", "local", SYSTEM, "--version", "1", "--reason", "after the move", "--yes", "--json")
    assert done.code == 0, done.text
    assert digests(serving / "models/1") == before
    asked = platform.run("predict", "local", SYSTEM, str(ROOT / "examples/application.json"), "--json")
    assert asked.json["model"]["version"] == "1", asked.text


def test_the_registry_answers_its_user_and_nobody_else(platform: Platform) -> None:
    url = platform.exports()["urls"]["mlflow"]
    search = f"{url}/api/2.0/mlflow/registered-models/search"
    anonymous = httpx.get(search, trust_env=False)
    assert anonymous.status_code == 401
    assert anonymous.headers["www-authenticate"].startswith("Basic")
    assert httpx.get(search, auth=("admin", "password1234"), trust_env=False).status_code == 401
    assert httpx.get(f"{url}/", trust_env=False).status_code == 401
    known = httpx.get(search, headers=header(variables(platform.home)), trust_env=False)
    assert [one["name"] for one in known.json()["registered_models"]] == [SYSTEM]
    assert httpx.get(f"{url}/health", trust_env=False).status_code == 200
    metrics = httpx.get(f"{url}/metrics", trust_env=False)
    assert metrics.status_code == 200
    assert SYSTEM not in metrics.text
    file = platform.home / PASSWORD_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    password = file.read_text().strip()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes()
        except OSError:
            continue
        assert password.encode() not in arguments
    for log in (platform.home / "logs").rglob("*.log"):
        assert password not in log.read_text(errors="replace"), log


def test_up_refuses_another_storage_and_names_the_way(platform: Platform) -> None:
    stored(platform, "s3")
    assert_one_message(platform.run("up", "local", "--yes"), "storage.kind", "mlstrata migrate")
    platform.assert_healthy()


def killed_in(platform: Platform, phases: tuple[Phase, ...]) -> int:
    """Start migrations and kill each, with its job, somewhere in a phase; return how many were cut off."""
    cut, dice = 0, random.Random()  # noqa: S311 - moments, not secrets
    for phase in phases:
        process = platform.start("migrate", "local", "--yes", **NO_WAY_OUT)
        eventually(
            lambda run=process, phase=phase: (
                run.poll() is not None or ((moving := read(platform.home)) is not None and moving.phase is phase)
            )
        )
        time.sleep(dice.uniform(0, 1))
        if process.poll() is None:
            cut += 1
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return cut


def test_to_a_bucket_killed_on_the_way(platform: Platform) -> None:
    before = digests(folder_of(platform))
    assert len(before) > 5
    assert killed_in(platform, (Phase.COPY, Phase.COPY, Phase.SWITCHED)) >= 2
    done = platform.run("migrate", "local", "--yes", "--json", **NO_WAY_OUT)
    assert done.code == 0, done.text
    platform.assert_healthy()
    assert read(platform.home) is None
    assert json.loads((platform.home / MANIFEST).read_text()) == before
    assert digests(folder_of(platform)) == {}
    for name, digest in before.items():
        assert hashlib.sha256(artifact(platform, name)).hexdigest() == digest
    released_anew(platform)
    assert "nothing to do" in platform.up().out
    again = platform.run("migrate", "local", "--yes", "--json")
    assert (again.code, again.json["changed"]) == (0, False)


def test_the_store_of_objects_asks_for_its_keys(platform: Platform) -> None:
    ports = platform.exports()["ports"]["storage"]
    for port in ("s3", "filer"):
        answer = httpx.get(f"http://127.0.0.1:{int(ports[port])}/buckets/mlstrata-local/", trust_env=False)
        assert answer.status_code in (401, 403), port
    keys = (platform.home / "config/storage/credentials").read_text()
    assert (platform.home / "config/storage/credentials").stat().st_mode & 0o777 == 0o600
    secret = re.search(r"aws_secret_access_key = (\S+)", keys).group(1)
    assert len(secret) >= 32
    assert secret not in platform.checkpoint.read_text()


def test_back_to_the_folder_killed_on_the_way(platform: Platform) -> None:
    before = json.loads((platform.home / MANIFEST).read_text())
    stored(platform, "folder")
    assert killed_in(platform, (Phase.COPY, Phase.SWITCHED)) >= 1
    done = platform.run("migrate", "local", "--yes")
    assert done.code == 0, done.text
    platform.assert_healthy()
    assert digests(folder_of(platform)) == before
    assert not (platform.home / "data/seaweedfs").exists()
    assert "storage" not in platform.exports()["ports"]
    released_anew(platform)
    assert "nothing to do" in platform.up().out


def test_a_move_that_is_taken_back_leaves_the_registry_where_it_was(platform: Platform) -> None:
    before = digests(folder_of(platform))
    stored(platform, "s3")
    process = platform.start("migrate", "local", "--yes")
    # From its journal on a move is under way; how long the command takes to get there is the machine's affair.
    eventually((platform.home / JOURNAL).exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert read(platform.home).phase is Phase.COPY
    stored(platform, "folder")
    done = platform.run("migrate", "local", "--yes", "--json")
    assert (done.code, done.json["gone_back"]) == (0, True), done.text
    platform.assert_healthy()
    assert digests(folder_of(platform)) == before
    assert "nothing to do" in platform.up().out
