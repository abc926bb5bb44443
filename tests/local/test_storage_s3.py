"""The main job's own tests, on a platform whose artifacts lie in a bucket.

`MLSTRATA_TEST_STORAGE=s3 pytest tests/local` runs all the others there too.
"""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    "same",
    [
        main_job.test_up_says_what_it_made_and_where_things_are,
        main_job.test_the_printed_command_answers_with_probability_version_and_request_id,
        main_job.test_a_second_up_changes_nothing_and_says_so,
        main_job.test_no_secret_is_in_plain_text,
        main_job.test_another_machine_goes_on_from_a_copy,
    ],
    ids=lambda function: function.__name__.removeprefix("test_"),
)
def test_as_on_a_folder(job: main_job.Job, same: Callable[..., None], tmp_path: Path) -> None:
    same(job, tmp_path) if "tmp_path" in same.__annotations__ else same(job)


def test_the_artifacts_are_in_the_bucket_alone(job: main_job.Job) -> None:
    folder = job.platform.home / "data/mlflow/artifacts"
    assert not folder.exists() or not any(path.is_file() for path in folder.rglob("*"))
    assert "gates.json" in job.artifacts()


def test_a_killed_store_comes_back_with_everything(job: main_job.Job) -> None:
    before = job.artifacts()
    os.kill(job.platform.pids()["storage"], signal.SIGKILL)
    assert job.answers_with("1"), "what is released answers without the store"
    eventually(lambda: job.platform.run("status", "local").code == 0, 60)
    # From the moment that all is said to be well, everything is there: no second try.
    assert job.artifacts() == before


def test_keep_data_brings_every_artifact_back(job: main_job.Job) -> None:
    before = job.artifacts()
    main_job.test_keep_data_brings_the_same_registry_and_the_released_version_back(job)
    assert job.artifacts() == before


def test_down_leaves_nothing(job: main_job.Job) -> None:
    main_job.test_down_leaves_no_process_port_or_state(job)
