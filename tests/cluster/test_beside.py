"""An environment beside what a real cluster has: definitions, an operator and a namespace of others."""

import pytest
import yaml

from mlstrata.operations.beside.ask import fit
from mlstrata.operations.deployment import Deployment
from tests.support.cluster import Cluster, Json

OPERATOR, TAKEN = "ops-monitoring", "beside-lending"


def runs(image: str, name: str, namespace: str) -> Json:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }


def space(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


@pytest.fixture
def workspace(cluster: Cluster, tmp_path, monkeypatch):
    """Give a workspace for a cluster with a Prometheus operator and a namespace that somebody lives in."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    cluster.must([space(OPERATOR), space(TAKEN)])
    operator = runs("r.example/prometheus-operator/prometheus-operator:v0.80.0", "operator", OPERATOR)
    cluster.must([operator, runs("r.example/web:1", "web", TAKEN)])
    yield tmp_path
    cluster.kubectl("delete", "namespace", OPERATOR, TAKEN, "--wait=true")


def problems(folder, upstream: list[Json], namespace: str) -> list[str]:
    target = {"kind": "kubernetes", "context": "test", "namespace": namespace}
    document = {
        "name": "beside",
        "target": target,
        "stage": "prerequisites",
        "teams": [{"name": "lending"}],
        "upstream": upstream,
        "systems": [],
    }
    path = folder / "environments/beside.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    deployment = Deployment.open("beside")
    found = fit(deployment, deployment.target.objects())
    assert found.unasked == ""
    # Other tests of this cluster leave an environment's namespaces there.
    return [one for one in found.problems if "belongs to the environment 'dev'" not in one]


def test_a_file_is_led_to_what_the_cluster_has(workspace):
    first = problems(workspace, [], TAKEN)
    told = "\n".join(first)
    assert f"the cluster has kube-prometheus-stack already (v0.80.0 in {OPERATOR}), and can have one" in told
    assert f"write upstream: [{{name: kube-prometheus-stack, lifecycle: existing, namespace: {OPERATOR}}}]" in told
    # kubectl made the definitions of this cluster, as an administrator does.
    assert "the cluster has definitions of cert-manager that others installed" in told
    assert "write upstream: [{name: cert-manager, definitions: existing}]" in told
    assert f"namespace {TAKEN}: it is there already and has Deployment web in it" in told
    texts = [line.partition("write upstream: ")[2].partition(", or remove")[0] for line in first]
    written = [one for text in texts if text for one in yaml.safe_load(text)]
    assert problems(workspace, written, "beside") == []
