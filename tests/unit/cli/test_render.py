"""`mlstrata render`: the same files twice, no secret in them, and nothing of anybody's overwritten."""

import re
from pathlib import Path

import pytest
import yaml

from mlstrata.cli.main import main
from mlstrata.environments import Workspace
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.policy_check import planned
from mlstrata.operations.render.manifests import STAYS, Rendered, manifests, write

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return manifests(planned(_context()))


def _context() -> Deployment:
    from mlstrata.environments import load_with_places

    return Deployment(Workspace(ROOT), load_with_places(ROOT / "environments/dev.yaml"))


def _holds_an_object(name: str) -> bool:
    return "/" in name and not name.endswith("kustomization.yaml")


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    (tmp_path / "environments").mkdir()
    for name in ("dev", "local"):
        source = ROOT / f"environments/{name}.yaml"
        (tmp_path / f"environments/{name}.yaml").write_text(source.read_text())
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    return tmp_path


def test_two_renders_are_the_same_bytes(rendered):
    again = manifests(planned(_context()))
    assert list(again.files) == list(rendered.files)
    assert again == rendered


def test_every_file_is_one_object_in_its_components_folder(rendered):
    objects = {name: yaml.safe_load(text) for name, text in rendered.files.items() if _holds_an_object(name)}
    assert len(objects) == rendered.objects > 100
    for name, manifest in objects.items():
        assert {"apiVersion", "kind", "metadata"} <= set(manifest), name
        assert manifest["metadata"]["name"] in name
        assert manifest["kind"] != "Secret"
    replicas = objects["registry/5-statefulset-mlstrata-dev.mlflow.yaml"]["spec"]["replicas"]
    assert isinstance(replicas, int), "numbers of the engine are floats; Kubernetes wants whole ones"


def test_what_holds_data_says_that_it_stays_and_so_does_its_namespace(rendered):
    objects = [yaml.safe_load(text) for name, text in rendered.files.items() if _holds_an_object(name)]
    stays = [one for one in objects if STAYS.items() <= one["metadata"].get("annotations", {}).items()]
    assert {one["kind"] for one in stays} >= {"Namespace", "NetworkPolicy", "Cluster", "Database", "Prometheus"}
    assert len(stays) < len(objects) / 10
    spaces = {one["metadata"]["name"] for one in stays if one["kind"] == "Namespace"}
    assert {one["metadata"]["namespace"] for one in stays if one["kind"] != "Namespace"} == spaces


def test_what_stays_is_taken_over_by_the_next_stack_and_only_pulumi_is_told_so(rendered):
    from mlstrata.components.cluster import TAKE_OVER

    assert TAKE_OVER == "pulumi.com/patchForce"
    assert not [name for name, text in rendered.files.items() if "pulumi.com/" in text]


def test_no_file_holds_anything_like_a_secret(rendered):
    looks = re.compile(r"BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|://[^/\s:@]+:[^/\s:@$]+@")
    found = [name for name, text in rendered.files.items() if looks.search(text.replace("USER:PASSWORD@", ""))]
    assert not found


def test_charts_are_named_with_version_and_values(rendered):
    charts = {one["name"]: one for one in yaml.safe_load(rendered.files["charts.yaml"])}
    assert len(charts) == rendered.charts
    assert charts["envoy-gateway"]["version"].startswith("v1.")
    assert charts["envoy-gateway"]["chart"].startswith("oci://")
    assert charts["seldon-core"]["values"]["certManager"] == {"enabled": True}
    assert charts["envoy-gateway-crds"]["stays"] is True
    assert charts["kubeflow-pipelines-0"]["kind"] == "kustomization"


def test_secrets_are_told_by_name_once(rendered):
    told = yaml.safe_load(rendered.files["secrets.yaml"])
    names = [(one["namespace"], one["name"]) for one in told]
    assert len(names) == len(set(names))
    assert ("mlstrata-dev", "object-store") in names
    assert all(one["keys"] and one["why"] for one in told)


def test_folders_come_after_what_they_need(rendered):
    order = yaml.safe_load(rendered.files["components.yaml"])
    at = {one["component"]: place for place, one in enumerate(order)}
    folders = {name.split("/")[0] for name in rendered.files if _holds_an_object(name)}
    assert folders <= set(at)
    for earlier, later in (
        ("platform", "registry"),
        ("seldon-core", "system-mortgage-approval"),
        ("database", "registry"),
    ):
        assert at[earlier] < at[later]


def test_a_render_replaces_an_earlier_one_and_nothing_else(workspace, tmp_path):
    into = tmp_path / "out"
    assert main(["render", "dev", "-o", str(into)]) == 0
    (into / "stale.yaml").write_text("old: true\n")
    assert main(["render", "dev", "-o", str(into)]) == 0
    assert not (into / "stale.yaml").exists()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds something that no render wrote"):
        write(foreign, {"a.yaml": "a: 1\n"})
    assert (foreign / "thesis.txt").read_text() == "years of work"


def test_an_environment_without_manifests_says_so(workspace, tmp_path, capsys):
    assert main(["render", "local", "-o", str(tmp_path / "out")]) == 2
    assert "has no manifests" in capsys.readouterr().err


def test_what_only_a_deployment_knows_is_refused():
    import pulumi_embedded
    from mlstrata.operations.render.manifests import _plain

    for value, said in ((pulumi_embedded.UNKNOWN, "known only after"), (pulumi_embedded.Secret("x"), "holds a secret")):
        with pytest.raises(Failed, match=rf"thing\.spec\.key: .*{said}"):
            _plain({"key": value}, "thing.spec")
