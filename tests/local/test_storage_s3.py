"""The main job's own tests, on a platform whose artifacts lie in a bucket.

`MLSTRATA_TEST_STORAGE=s3 pytest tests/local` runs all the others there too.
"""

import os
import re
import signal
from collections.abc import Callable, Iterator

import httpx
import pytest

from services.registry.access import header, variables
from tests.local import test_main_job as main_job
from tests.support.command import Platform, eventually

pytestmark = [pytest.mark.local, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[main_job.Job]:
    platform = Platform(tmp_path_factory.mktemp("the bucket"))
    text = platform.declare()
    if "storage:" not in text:
        text = re.sub(r"(?m)^stage:", "storage: {kind: s3}\nstage:", text)
        platform.workspace.environment_file("local").write_text(text)
    try:
        first = platform.run("up", "local", "--yes", "--train", seconds=300)
        assert first.code == 0, first.text
        yield main_job.Job(platform, first)
    finally:
        platform.end()


def artifacts(job: main_job.Job) -> list[str]:
    """Read every file of the version's run through the registry; return their names."""
    url = job.platform.exports()["urls"]["mlflow"]
    (_, run), *_ = job.versions()
    with httpx.Client(headers=header(variables(job.platform.home)), trust_env=False, timeout=30) as client:
        names, folders = [], [""]
        while folders:
            query = {"run_id": run, "path": folders.pop()}
            answer = client.get(f"{url}/api/2.0/mlflow/artifacts/list", params=query)
            assert answer.status_code == 200, answer.text
            for one in answer.json().get("files", []):
                if one.get("is_dir"):
                    folders.append(one["path"])
                    continue
                got = client.get(f"{url}/get-artifact", params={"run_id": run, "path": one["path"]})
                assert (got.status_code, len(got.content)) == (200, int(one.get("file_size", 0)))
                names.append(one["path"])
    return names


@pytest.mark.parametrize(
    "same",
    [
        main_job.test_up_says_what_it_made_and_where_things_are,
        main_job.test_the_printed_command_answers_with_probability_version_and_request_id,
        main_job.test_a_second_up_changes_nothing_and_says_so,
        main_job.test_no_secret_is_in_plain_text,
    ],
    ids=lambda function: function.__name__.removeprefix("test_"),
)
def test_as_on_a_folder(job: main_job.Job, same: Callable[[main_job.Job], None]) -> None:
    same(job)


def test_the_artifacts_are_in_the_bucket_alone(job: main_job.Job) -> None:
    folder = job.platform.home / "data/mlflow/artifacts"
    assert not folder.exists() or not any(path.is_file() for path in folder.rglob("*"))
    assert "gates.json" in artifacts(job)


def test_a_killed_store_comes_back_with_everything(job: main_job.Job) -> None:
    before = artifacts(job)
    os.kill(job.platform.pids()["storage"], signal.SIGKILL)
    assert job.answers_with("1"), "what is released answers without the store"
    eventually(lambda: job.platform.run("status", "local").code == 0, 60)
    # From the moment that all is said to be well, everything is there: no second try.
    assert sorted(artifacts(job)) == sorted(before)


def test_keep_data_brings_every_artifact_back(job: main_job.Job) -> None:
    before = artifacts(job)
    main_job.test_keep_data_brings_the_same_registry_and_the_released_version_back(job)
    assert sorted(artifacts(job)) == sorted(before)


def test_down_leaves_nothing(job: main_job.Job) -> None:
    main_job.test_down_leaves_no_process_port_or_state(job)
