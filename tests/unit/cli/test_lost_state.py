"""What runs is never planned as new beside a state that is gone: its keys and certificates would be others then."""

import shutil
from pathlib import Path

import pytest

from mlstrata.cli.main import main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path / "environments").mkdir()
    shutil.copy(ROOT / "environments/local.yaml", tmp_path / "environments")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    for variable in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / ".mlstrata/local/data").mkdir(parents=True)
    (tmp_path / ".mlstrata/local/passphrase").write_text("of the state\n")
    return tmp_path


@pytest.mark.parametrize("command", [["plan", "local"], ["up", "local", "--yes"]], ids=["plan", "up"])
def test_a_state_that_is_gone_is_named(workspace, capsys, command):
    (workspace / ".mlstrata/local/config").mkdir()
    assert main(command) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "local.json: the state of local is gone, and " in told
    assert "or remove " in told
    assert not (workspace / ".pulumi/stacks").exists()


def test_data_that_was_kept_is_planned_with_a_new_state(workspace):
    assert main(["plan", "local"]) == 0
