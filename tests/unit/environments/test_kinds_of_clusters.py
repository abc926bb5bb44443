"""The page on kinds of clusters: each file that it shows is one that loads, and can be built."""

import re
from pathlib import Path

import pytest
import yaml

from mlstrata.environments import Workspace, load
from mlstrata.stacks.preconditions import problems

PAGE = Path(__file__).parents[3] / "docs/clusters.md"
PARTS = re.split(r"(?m)^#{2,3} ", PAGE.read_text(encoding="utf-8"))
BLOCKS = [(part.partition("\n")[0], text) for part in PARTS for text in re.findall(r"(?ms)^```yaml\n(.*?)^```", part)]


def test_every_kind_has_its_block():
    assert [name for name, _ in BLOCKS] == ["kind", "k3d", "EKS", "GKE", "AKS", "OpenShift"]


@pytest.mark.parametrize(("name", "text"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_it_loads_and_can_be_built(name: str, text: str, tmp_path: Path):
    path = tmp_path / "environments/cluster.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({"name": "cluster", **yaml.safe_load(text), "systems": []}), encoding="utf-8")
    assert problems(load(path), Workspace(tmp_path)) == [], name
