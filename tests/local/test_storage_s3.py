"""Every test of the main job, and those of two people, once more: on platforms whose artifacts lie in a bucket.

`MLSTRATA_TEST_STORAGE=s3 pytest tests/local` runs all the others there too.
"""

import os
import signal
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.local import test_main_job as main_job
from tests.local import test_two_people as two_people
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


people, second = two_people.people, two_people.second


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


def _tests(module: ModuleType) -> dict[str, object]:
    """Return a module's tests by name, in their order: here they are collected again, and find this module's `job`."""
    return {name: value for name, value in vars(module).items() if name.startswith("test_")}


# All of them, whatever is added there: a list would grow old.
assert not _tests(main_job).keys() & _tests(two_people).keys()
globals().update(_tests(main_job) | _tests(two_people))
