"""What a valid file may ask of AWS that it cannot have is told by `validate` and `plan` alike, with its place."""

import shutil
from pathlib import Path

import pytest

from mlstrata.cli.main import main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path / "environments").mkdir()
    shutil.copytree(ROOT / "environments/substrates", tmp_path / "environments/substrates")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    return tmp_path / "environments/prod.yaml"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "region: eu-central-1",
            "region: eu-west-2",
            "target.region: got eu-west-2, but dataset 'hmda' of mortgage-approval must stay in the EU (region: eu); "
            "allowed eu-central-1, eu-west-1",
        ),
        (
            "name: train, accelerator: nvidia-l4, nodes: {min: 0, max: 8}",
            "name: train, accelerator: nvidia-l4, gpus_per_node: 2, nodes: {min: 0, max: 8}",
            "gpu_pools[0].gpus_per_node: got 2; AWS has machines with 1, 4, 8 of nvidia-l4",
        ),
        (
            "arn:aws:iam::123456789012:role/platform-admins",
            "arn:aws:iam::999999999999:role/platform-admins",
            "target.admins[0]: got a role of account 999999999999; a cluster lets in roles of its own account",
        ),
        ("owner: platform@example.com\n", "", "target.budget: got 8000, and nobody to tell of it"),
    ],
)
def test_it_is_told_before_anything_is_planned(workspace, capsys, old, new, told):
    text = (ROOT / "environments/prod.yaml").read_text(encoding="utf-8")
    assert old in text
    workspace.write_text(text.replace(old, new, 1), encoding="utf-8")
    for command in ("validate", "plan"):
        assert main([command, "prod"]) == 2, command
        said = capsys.readouterr()
        assert told in said.err + said.out
        assert "prod.yaml:" in said.err + said.out


def test_a_region_outside_the_union_is_fine_where_no_data_must_stay(workspace, capsys):
    text = (ROOT / "environments/prod.yaml").read_text(encoding="utf-8")
    moved = text.replace("region: eu-central-1", "region: us-east-1").replace("region: eu\n", "region: us\n")
    workspace.write_text(moved.replace("region: eu,", "region: us,"), encoding="utf-8")
    assert main(["validate", "prod"]) == 0, capsys.readouterr().err
