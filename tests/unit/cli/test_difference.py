"""`mlstrata plan --against`: what one checkout would make of an environment and another would not."""

import json
import shutil
from pathlib import Path

import pytest

from mlstrata.cli.difference import difference
from mlstrata.cli.main import main
from mlstrata.operations.comparison.compare import changes
from mlstrata.operations.comparison.restarts import restarts
from mlstrata.operations.errors import UsageError

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
    edit(base, "stage: mature", "stage: foundation")
    edit(base, "\ncapabilities:", "\n# capabilities:")
    edit(base, "400d", "300d")
    difference("local", str(base), as_json=True)
    found = {one["resource"]: one for one in json.loads(capsys.readouterr().out)["changes"]}
    assert found["Environment environment"]["paths"] == {"retention.predictions": [300, 400]}
    assert found["Stage mature"]["op"] == "create"
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
    edit(base, "stage: mature", "stage: matur")
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


def test_an_upgrade_of_what_is_taken_from_elsewhere_names_what_restarts(tmp_path, capsys, monkeypatch):
    base = tmp_path / "base"
    for room in ("mlstrata", "components", "environments", "locks", "packages", "pipelines", "policies", "stacks"):
        shutil.copytree(ROOT / room, base / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", base)
    for file, old, new in (
        ("components/upstream/bill.yaml", _version_of("seldon-core"), "1.16.0"),
        ("components/upstream/bill.yaml", "postgresql:18.4-", "postgresql:18.3-"),
    ):
        text = (base / file).read_text()
        assert old in text, "the bill names it no longer: name another piece here"
        (base / file).write_text(text.replace(old, new))
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(ROOT))
    difference("dev", str(base), as_json=True)
    found = {one["resource"]: one for one in json.loads(capsys.readouterr().out)["changes"]}
    restarting = {resource: one["restarts"] for resource, one in found.items() if one["restarts"]}
    assert restarting["Cluster database"].startswith("Postgres: copies first")
    assert restarting["Release seldon-core"].startswith("the pods that its chart changes")
    assert not any("NetworkPolicy" in resource or "-crds" in resource for resource in restarting)
    assert {one["op"] for one in found.values()} == {"change"}, "an upgrade deletes and makes nothing"
    difference("dev", str(base), as_json=False)
    told = capsys.readouterr().out
    assert "restarts Postgres" in told
    assert f"of which {len(restarting)} restart something" in told


def _version_of(name):
    from mlstrata.components.upstream.bill import piece

    return piece(name).version


@pytest.mark.parametrize(
    ("resource", "path", "after", "said"),
    [
        ("Deployment mlflow", "spec.template.spec.containers.0.image", {}, "new ones before"),
        ("Deployment one", "spec.template.spec.x", {"spec.strategy.type": "Recreate"}, "away until"),
        ("Deployment mlflow", "spec.replicas", {}, ""),
        ("SeldonDeployment s", "spec.predictors.0.componentSpecs.0.spec.containers.0.image", {}, "prediction pods"),
        ("SeldonDeployment s", "spec.predictors.1.traffic", {}, ""),
        ("SeldonDeployment s", "spec.predictors.1.replicas", {}, ""),
        ("Release envoy-gateway", "version", {}, "chart"),
        ("Release envoy-gateway-crds", "version", {}, ""),
        ("ConfigFile seldon-core-crds", "file", {}, ""),
        ("ConfigFile feast", "file", {}, "bundle"),
        ("ConfigFile declared", "content", {}, ""),
        ("NetworkPolicy a", "spec.ingress.0.from", {}, ""),
        ("Service runner", "command.2", {}, "its process"),
        ("Service runner", "code", {}, "its process"),
        ("Service catalog", "files.a/b.json.content", {"files.a/b.json.restart": False}, ""),
        ("Service catalog", "files.a/b.json.content", {"files.a/b.json.restart": True}, "its process"),
        ("Service web", "spec.ports.0.port", {}, ""),
    ],
)
def test_what_a_change_restarts(resource, path, after, said):
    found = restarts(resource, [path], after)
    assert (said in found) if said else found == ""
