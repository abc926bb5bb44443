"""An environment in a cloud has two layers: planned, judged, made and told of in order, together or one by one."""

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import pulumi_embedded
from mlstrata.cli.main import main
from mlstrata.environments import load
from mlstrata.operations.layered import Layered
from tests.support.command import copy_exemptions

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """The shipped environments without a state."""
    for file in (ROOT / "environments").rglob("*.yaml"):
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    copy_exemptions(tmp_path)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return tmp_path


@dataclass
class Layer:
    """An engine that notes what it is asked."""

    name: str
    asked: list
    fails: bool = False
    waited: list = field(default_factory=list)

    def up(self, listen, approve):
        approve(self.name)
        self.asked.append(("up", self.name))
        if self.fails:
            raise pulumi_embedded.EngineError("no")
        return pulumi_embedded.Result((), {"of": self.name}, seconds=1.0)

    def down(self, listen):
        self.asked.append(("down", self.name))
        return pulumi_embedded.Result((), {}, seconds=1.0)


def test_the_substrate_is_made_first_and_goes_last_and_the_whole_is_approved_once():
    asked, approved = [], []
    both = Layered((Layer("substrate", asked), Layer("platform", asked)))
    done = both.up(print, approved.append)
    assert (done.outputs, done.seconds) == ({"of": "platform"}, 2.0)
    both.down(print)
    assert asked == [("up", "substrate"), ("up", "platform"), ("down", "platform"), ("down", "substrate")]
    assert approved == ["substrate"]


def test_a_platform_is_not_made_on_a_substrate_that_failed():
    asked = []
    both = Layered((Layer("substrate", asked, fails=True), Layer("platform", asked)))
    with pytest.raises(pulumi_embedded.EngineError):
        both.up(print, lambda _: None)
    assert asked == [("up", "substrate")]


def test_a_plan_is_told_layer_by_layer_and_twice_the_same(workspace, capsys):
    told = []
    for _ in range(2):
        assert main(["plan", "prod"]) == 0
        told.append(re.sub(r"[0-9.]+ s\n", "", capsys.readouterr().out))
    assert told[0] == told[1]
    first, second = told[0].index("substrate · stack prod.substrate"), told[0].index("platform · stack prod ")
    assert first < second
    assert re.search(r"\+ nodegroup +nodes-serve", told[0][first:second])
    assert re.search(r"\+ instance +database", told[0][first:second])
    assert "namespace" in told[0][second:]
    assert not list((workspace / ".pulumi").rglob("prod*.json")), "a plan leaves no state"


@pytest.mark.parametrize("stack", ["prod.substrate", "prod"])
@pytest.mark.parametrize(
    "change",
    [
        (
            "zones: [a, b, c]",
            "network: 10.99.0.0/16",
            "target.network: got '10.99.0.0/16', but '10.64.0.0/16' is deployed",
        ),
        ("region: eu-central-1", "region: eu-west-1", "target.region: got 'eu-west-1', but 'eu-central-1' is deployed"),
        ("zones: [a, b, c]", "database: {version: 18}", "target.database.version: got 18, but 17 is deployed"),
    ],
)
def test_what_cannot_change_in_place_is_refused_whichever_layer_is_up(workspace, capsys, stack, change):
    old, new, told = change
    file = workspace / "environments/prod.yaml"
    spec = load(file).model_dump(mode="json", include={"name", "target", "storage"})
    kind = "mlstrata:aws:Substrate" if stack.endswith("substrate") else "mlstrata:platform:Platform"
    urn = f"urn:pulumi:{stack}::mlstrata::{kind}::{kind.rpartition(':')[2].lower()}"
    resource = {"urn": urn, "type": kind, "custom": False, "inputs": {"spec": spec}, "outputs": {}}
    state = workspace / f".pulumi/stacks/mlstrata/{stack}.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"version": 3, "checkpoint": {"stack": stack, "latest": {"resources": [resource]}}}))
    file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    assert main(["plan", "prod"]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "cannot change in place" in said
    assert "environments/prod.yaml:" in said


@pytest.mark.parametrize("layer", ["substrate", "platform"])
def test_each_layer_passes_its_policies_alone_as_a_pack_sees_it(workspace, capsys, layer):
    assert main(["check", "prod", "--layer", layer]) == 0
    assert " FAIL " not in capsys.readouterr().out


def test_the_status_tells_of_both(workspace, capsys):
    assert main(["status", "prod"]) == 1
    out = capsys.readouterr().out
    assert "stack prod.substrate · 0 resources" in out
    assert "stack prod · 0 resources" in out


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["plan", "prod", "--layer", "substrat"], "allowed substrate, platform; did you mean 'substrate'?"),
        (["plan", "dev", "--layer", "substrate"], "--layer: got 'substrate' of 'dev'; allowed platform"),
        (["up", "prod", "--yes"], "pulumi: not on PATH; an environment on aws is made by the Pulumi CLI"),
        (["down", "prod", "--keep-data", "--yes"], "pulumi: not on PATH"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(workspace, capsys, command, told):
    assert main(command) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert told in line
