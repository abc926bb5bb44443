"""Programs that local services run: what is missing is said once, with how to get it."""

import pytest

from mlstrata.components import programs
from mlstrata.components.errors import PlanError


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "programs_folder", lambda: tmp_path / "bin")
    monkeypatch.setenv("MLSTRATA_TOOLS", str(tmp_path / "tools"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_what_is_had_the_same_way_is_one_line(empty):
    with pytest.raises(PlanError) as caught:
        programs.find(["python", "mlflow", "prometheus", "alertmanager"])
    ours, others = str(caught.value).splitlines()[-2:]
    assert "missing tools python, mlflow: not in" in ours
    assert str(empty / "bin") in ours
    assert "missing tools prometheus, alertmanager: neither on PATH nor in" in others
    assert "`mlstrata doctor local` says how" in others


def test_what_is_there_is_found_and_not_told(empty):
    (empty / "bin").mkdir()
    (empty / "bin/python").touch(mode=0o755)
    (empty / "prometheus-alertmanager").touch(mode=0o755)
    found = programs.find(["python", "alertmanager"])
    assert found["python"] == empty / "bin/python"
    assert found["alertmanager"] == empty / "prometheus-alertmanager"
    with pytest.raises(PlanError) as caught:
        programs.find(["python", "prometheus"])
    assert "python" not in str(caught.value).partition("missing tools ")[2].partition(":")[0]
