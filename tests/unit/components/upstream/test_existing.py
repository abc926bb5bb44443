"""Pieces that a cluster has already: nothing of them is installed, and nothing is put around them."""

import json
from functools import cache
from pathlib import Path

import pytest

from mlstrata.cli.main import main
from mlstrata.components.gateway.outputs import owned_by
from mlstrata.components.upstream.bill import BILL, PIECES
from mlstrata.components.upstream.selection import bill_images, fitting, monitoring_of, select
from mlstrata.environments import EnvironmentSpec, Workspace, load
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record

ROOT = Path(__file__).parents[4]
MAY_EXIST = [one.name for one in BILL if one.fits]


def spec(*upstream: dict, **fields: object) -> EnvironmentSpec:
    base = {"name": "test", "target": {"kind": "kubernetes", "context": "c"}, "stage": "foundation"}
    return EnvironmentSpec.model_validate({**base, "upstream": upstream, **fields})


def existing(*names: str, **fields: object) -> EnvironmentSpec:
    return spec(*({"name": name, "lifecycle": "existing"} for name in names), **fields)


@pytest.mark.parametrize("name", MAY_EXIST)
def test_what_exists_is_taken_with_nothing_to_install(name: str):
    found = select(existing(name))
    assert found.problems == ()
    assert (found[name].exists, found[name].sources, found[name].crd_source) == (True, (), None)


@pytest.mark.parametrize("one", [one for one in BILL if one.fits], ids=str)
def test_the_version_that_is_installed_is_one_that_fits(one):
    assert fitting(one, one.version)
    assert not fitting(one, "0.0.1")
    assert not fitting(one, "latest")


@pytest.mark.parametrize("one", [one for one in BILL if one.named], ids=str)
def test_images_that_objects_of_ours_name_are_run_all_the_same(one):
    images = select(existing(one.name))[one.name].images
    assert [image.repository for image in images] == [one.image(ending).repository for ending in one.named]


def test_what_serves_one_environment_only_cannot_be_anothers():
    (problem,) = select(existing("kubeflow-pipelines")).problems
    assert problem.startswith("upstream[0].lifecycle: got 'existing'; allowed managed: an environment needs a kubeflow")


def test_a_version_that_does_not_fit_is_refused_with_those_that_do():
    (problem,) = select(spec({"name": "cert-manager", "lifecycle": "existing", "version": "1.4.0"})).problems
    assert problem == ("upstream[0].version: got '1.4.0'; an existing cert-manager fits at >=1.12,<2: upgrade it there")


def test_definitions_alone_may_exist():
    found = select(spec({"name": "cert-manager", "definitions": "existing"}))["cert-manager"]
    assert (found.exists, found.definitions_exist, found.crd_source) == (False, True, None)
    assert found.sources == PIECES["cert-manager"].sources
    (problem,) = select(spec({"name": "kubeflow-pipelines", "definitions": "existing"})).problems
    assert "kubeflow-pipelines brings its own with all else" in problem


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"lifecycle": "existing", "definitions": "managed"}, "definitions"),
        ({"lifecycle": "existing", "chart": "1.0.0"}, "chart"),
        ({"namespace": "certs"}, "namespace"),
    ],
)
def test_contradictions_are_refused(given: dict, field: str):
    with pytest.raises(ValueError, match=f"{field}: got "):
        spec({"name": "cert-manager", **given})


def test_its_licence_is_that_of_its_version():
    pin = {"name": "seldon-core", "lifecycle": "existing", "version": "1.18.2"}
    (problem,) = select(spec(pin, systems=load(ROOT / "environments/dev.yaml").model_dump(mode="json")["systems"],
                             teams=[{"name": "lending"}, {"name": "service-desk"}])).problems  # fmt: skip
    assert problem.startswith("licences.deny: seldon-core 1.18.2 is under BUSL-1.1")


def test_what_it_puts_into_pods_of_ours_may_run_there():
    pin = {"name": "cloudnative-pg", "lifecycle": "existing", "version": "1.28.0"}
    images = bill_images(select(spec(pin)), None)
    assert "ghcr.io/cloudnative-pg/cloudnative-pg:1.28.0" in images
    assert "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0" not in images


OTHERS = {name: f"ops-{name}" for name in MAY_EXIST if name != "karpenter"}


@cache
def beside() -> Graph:
    """Record the shipped `dev`, with Ray, on a cluster that has everything which may be there already."""
    values = load(ROOT / "environments/dev.yaml").model_dump(mode="json", by_alias=True)
    approval = values["systems"][0]
    rays = {**approval, "name": "mortgage-rays", "model": {**approval["model"], "settings": {"workers": 4}}}
    pins = [{"name": name, "lifecycle": "existing", "namespace": space} for name, space in OTHERS.items()]
    changes = {
        "capabilities": {**values["capabilities"], "on": ["secrets", "distributed_training"]},
        "systems": [*values["systems"], rays],
        "upstream": pins,
    }
    declared = EnvironmentSpec.model_validate({**values, **changes})
    return record(lambda: plan(declared, Workspace(ROOT)), stack="dev")


def test_namespaces_of_others_are_neither_made_nor_labelled_nor_closed():
    """The only objects there are ways of Envoy's pods that this environment's own gateway has there."""
    spaces = {one.inputs["metadata"]["name"] for one in beside().all("Namespace")}
    assert not spaces & {*OTHERS.values(), *(PIECES[name].namespace for name in OTHERS)}
    there = [one for one in beside().resources if one.inputs.get("metadata", {}).get("namespace") in OTHERS.values()]
    assert there
    for one in there:
        assert one.inputs["kind"] == "NetworkPolicy"
        assert one.inputs["metadata"]["name"].startswith("mlstrata-dev-")
        assert one.inputs["spec"]["podSelector"] == {"matchLabels": owned_by("mlstrata-dev")}


def test_nothing_of_them_is_installed():
    charts = {one.name for one in beside().resources if one.type.startswith(("kubernetes:helm", "kubernetes:yaml"))}
    assert not {name for name in charts if name.removesuffix("-crds") in OTHERS}
    assert "grafana" in charts


def test_prometheus_has_a_namespace_of_the_environments_own():
    assert monitoring_of(existing("kube-prometheus-stack")) == "mlstrata-monitoring"
    assert monitoring_of(spec()) == "monitoring"
    spaces = {
        one.inputs["metadata"]["namespace"] for kind in ("Prometheus", "Alertmanager") for one in beside().all(kind)
    }
    assert spaces == {"mlstrata-dev-monitoring"}
    grafana = next(one for one in beside().resources if one.name == "grafana" and "helm" in one.type)
    assert grafana.inputs["namespace"] == "mlstrata-dev-monitoring"
    assert grafana.inputs["values"]["fullnameOverride"] == "mlstrata-dev-grafana"


def test_what_is_scraped_is_declared_where_prometheus_reads_and_found_where_it_runs():
    gateway = next(
        one for one in beside().all("PodMonitor") if one.inputs["metadata"]["name"] == "mlstrata-dev-gateway"
    )
    assert gateway.inputs["metadata"]["namespace"] == "mlstrata-dev"
    assert gateway.inputs["spec"]["namespaceSelector"] == {"matchNames": ["ops-envoy-gateway"]}


def test_images_says_what_is_there_already_and_what_fits(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    (tmp_path / "environments").mkdir()
    text = (
        "name: dev\ntarget: {kind: kubernetes, context: c}\nstage: prerequisites\nsystems: []\n"
        "upstream: [{name: cert-manager, lifecycle: existing, namespace: certs}]\n"
    )
    (tmp_path / "environments/dev.yaml").write_text(text, encoding="utf-8")
    assert main(["images", "dev"]) == 0
    assert " cert-manager  existing, in certs; fits at >=1.12,<2\n" in capsys.readouterr().out
    assert main(["images", "dev", "--json"]) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)["pieces"]}
    assert [found[name]["lifecycle"] for name in ("cert-manager", "envoy-gateway")] == ["existing", "managed"]
    assert found["cert-manager"]["images"] == found["cert-manager"]["sources"] == []
