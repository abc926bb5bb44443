"""A version that was released while the process was starting."""

import time

import pytest

from mlstrata.services.serving import versions as module
from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.releases import FILE, Releases
from mlstrata.services.serving.settings import ServingSettings
from mlstrata.services.serving.versions import Versions
from tests.support.patience import eventually


class Loaded:
    """Stands for a model; version 9 cannot be loaded."""

    tries: list[str]

    def __init__(self, version, folder):
        self.tries.append(version)
        if version == "9":
            raise ValueError("broken")
        self.version = version


@pytest.fixture
def versions(tmp_path, monkeypatch):
    Loaded.tries = []
    monkeypatch.setattr(module, "load", Loaded)
    for version in ("1", "2", "9"):
        (tmp_path / "models" / version).mkdir(parents=True)
    release(tmp_path, "1")
    made = Versions(ServingSettings(system="loans", directory=tmp_path, http_port=1, grpc_port=2, metrics_port=3))
    made.load_released()
    return made


def release(folder, champion):
    text = Releases(champion=champion, loaded=("1", champion) if champion != "1" else ("1",)).to_json()
    (folder / "new").write_text(text)
    (folder / "new").rename(folder / FILE)


def test_it_is_loaded_when_somebody_looks_whether_the_process_is_well(versions, tmp_path):
    assert versions.is_ready()
    release(tmp_path, "2")
    assert not versions.is_ready()
    eventually(versions.is_ready)
    assert versions.choose("2").version == "2"


def test_it_is_loaded_when_a_request_asks_for_it(versions, tmp_path):
    release(tmp_path, "2")
    with pytest.raises(ProblemError, match="version 2 of loans cannot answer: it is not in memory"):
        versions.choose("2")
    eventually(lambda: "2" in versions._models)
    assert versions.choose("2").version == "2"


def test_nothing_is_loaded_that_no_release_names(versions):
    """The header is whatever somebody on this machine sent."""
    for version in ("2", "../1", "77"):
        with pytest.raises(ProblemError, match="cannot answer"):
            versions.choose(version)
    time.sleep(0.1)
    assert Loaded.tries == ["1"]


def test_one_that_cannot_be_loaded_is_tried_once(versions, tmp_path):
    release(tmp_path, "9")
    assert not versions.is_ready()
    eventually(lambda: "9" in versions._failed)
    for _ in range(5):
        assert not versions.is_ready()
    assert Loaded.tries == ["1", "9"]
    assert versions.choose("1").version == "1"


def test_a_caller_of_a_process_whose_releases_are_damaged_learns_no_place(versions, tmp_path, caplog):
    (tmp_path / "new").write_text("{")
    (tmp_path / "new").rename(tmp_path / FILE)
    with pytest.raises(ProblemError) as refused:
        versions.choose(None)
    assert (refused.value.status, refused.value.code) == (503, "releases_unreadable")
    assert str(tmp_path) not in refused.value.message
    assert f"{tmp_path / FILE}: not what a release writes" in caplog.text
    assert not versions.is_ready()
