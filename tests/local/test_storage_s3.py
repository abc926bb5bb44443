"""The tests of the main job that depend on where artifacts lie, once more: on a platform that has them in a bucket.

`MLSTRATA_TEST_STORAGE=s3 pytest tests/local` runs all the others there too.
"""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.local import test_main_job as main_job
from tests.support import command
from tests.support.command import Platform
from tests.support.patience import eventually

pytestmark = pytest.mark.local


@pytest.fixture(scope="module", autouse=True)
def in_a_bucket() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "STORAGE", "s3")
        yield


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, in_a_bucket: None) -> Iterator[main_job.Job]:
    platform = Platform(tmp_path_factory.mktemp("the bucket"))
    assert "storage: {kind: s3}" in platform.declare()
    try:
        first = platform.run("up", "local", "--yes", "--train")
        assert first.code == 0, first.text
        yield main_job.Job(platform, first)
    finally:
        platform.end()


def test_the_artifacts_are_in_the_bucket_alone(job: main_job.Job) -> None:
    folder = job.platform.home / "data/mlflow/artifacts"
    assert not folder.exists() or not any(path.is_file() for path in folder.rglob("*"))
    assert "gates.json" in job.artifacts()


def test_a_killed_store_comes_back_with_everything(job: main_job.Job) -> None:
    before = job.artifacts()
    os.kill(job.platform.pids()["storage"], signal.SIGKILL)
    assert job.answers_with("1"), "what is released answers without the store"
    eventually(lambda: job.platform.run("status", "local").code == 0)
    # From the moment that all is said to be well, everything is there: no second try.
    assert job.artifacts() == before


# Collected again, in this order: here they find this module's `job`.
test_status_says_that_all_is_healthy = main_job.test_status_says_that_all_is_healthy
test_a_second_up_changes_nothing_and_says_so = main_job.test_a_second_up_changes_nothing_and_says_so
test_no_secret_is_in_plain_text = main_job.test_no_secret_is_in_plain_text
test_killed_services_heal_by_themselves = main_job.test_killed_services_heal_by_themselves
test_another_machine_goes_on_from_a_copy = main_job.test_another_machine_goes_on_from_a_copy
test_keep_data_brings_back = main_job.test_keep_data_brings_the_same_registry_and_the_released_version_back
test_down_leaves_no_process_port_or_state = main_job.test_down_leaves_no_process_port_or_state
