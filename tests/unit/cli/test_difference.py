"""`mlstrata plan --against`: what one checkout would make of an environment and another would not."""

import json
import shutil
from pathlib import Path

import pytest

from cli.console import UsageError
from cli.difference import changes, difference
from cli.main import main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def checkouts(tmp_path, monkeypatch):
    for name in ("base", "head"):
        (tmp_path / name / "environments").mkdir(parents=True)
        shutil.copy(ROOT / "environments/local.yaml", tmp_path / name / "environments")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path / "head"))
    return tmp_path / "base", tmp_path / "head"


def edit(root, old, new):
    file = root / "environments/local.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_two_checkouts_of_the_same_differ_in_nothing(checkouts, capsys):
    base, _ = checkouts
    assert main(["plan", "local", "--against", str(base)]) == 0
    assert capsys.readouterr().out.strip() == "local: no resource changes"


def test_a_move_up_adds_and_what_changed_is_told(checkouts, capsys):
    base, _ = checkouts
    edit(base, "stage: foundation", "stage: prerequisites")
    edit(base, "400d", "300d")
    difference("local", str(base), as_json=True)
    found = {one["resource"]: one for one in json.loads(capsys.readouterr().out)["changes"]}
    assert found["Environment environment"]["paths"] == {"retention.predictions": [300, 400]}
    assert found["Stage foundation"]["op"] == "create"
    assert {one["op"] for one in found.values()} == {"create", "change"}


def test_a_new_environment_is_created_whole(checkouts, capsys):
    base, _ = checkouts
    (base / "environments/local.yaml").unlink()
    difference("local", str(base), as_json=True)
    assert {one["op"] for one in json.loads(capsys.readouterr().out)["changes"]} == {"create"}


def test_what_is_no_checkout_or_no_environment_is_told(checkouts, tmp_path):
    base, _ = checkouts
    with pytest.raises(UsageError, match="is no folder with environments"):
        difference("local", str(tmp_path / "nowhere"), as_json=False)
    edit(base, "stage: foundation", "stage: fundation")
    with pytest.raises(UsageError, match="cannot be planned: "):
        difference("local", str(base), as_json=False)


def test_changes_are_by_resource_and_path():
    before = {"A one": {"x": 1, "y": 2}, "B two": {"z": 1}}
    after = {"A one": {"x": 1, "y": 3, "w": None}, "C three": {}}
    found = [(one.resource, one.op, one.paths) for one in changes(before, after)]
    assert found == [
        ("A one", "change", {"y": (2, 3)}),
        ("B two", "delete", {}),
        ("C three", "create", {}),
    ]
