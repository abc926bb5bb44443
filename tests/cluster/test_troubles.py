"""What ails an environment of a real cluster is said by `status`, `plan` and `doctor`, each with what to do."""

import json

import pytest
import yaml

from mlstrata.cli.main import main
from tests.support.cluster import Cluster, Json

SPACE = "ailing"


@pytest.fixture
def ailing(cluster: Cluster, tmp_path, monkeypatch, capsys):
    """Give a function that says how an environment is: what its status finds, in words."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    target = {"kind": "kubernetes", "context": "test", "namespace": SPACE}
    document = {"name": "dev", "target": target, "stage": "prerequisites", "systems": []}
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/dev.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    cluster.must([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}])

    def found(*command: str) -> Json:
        capsys.readouterr()
        main([*command, "dev", "--json"])
        said: Json = json.loads(capsys.readouterr().out)
        return said

    yield found
    cluster.kubectl("delete", "namespace", SPACE, "--wait=true")


def named(troubles: list[Json], kind: str) -> dict[str, Json]:
    return {one["name"]: one for one in troubles if one["kind"] == kind and one["namespace"] in {"", SPACE}}


def test_status_plan_and_doctor_say_what_is_missing_and_how_to_bring_it(cluster: Cluster, ailing):
    secrets = named(ailing("status")["troubles"], "secret")
    assert {"mlflow-access", "alert-receiver", "object-store"} <= set(secrets)
    assert secrets["mlflow-access"]["what"].startswith("is missing (")
    assert secrets["mlflow-access"]["fix"] == "`mlstrata secrets dev --script > secrets.sh`, then `sh secrets.sh`"
    assert set(named(ailing("plan")["cluster"]["missing"], "secret")) == set(secrets)
    for name in secrets:
        cluster.kubectl("create", "secret", "generic", name, "-n", SPACE, "--from-literal=password=x")
    left = named(ailing("status")["troubles"], "secret")
    assert left["alert-receiver"]["what"].startswith("has no url (")
    checks = {one["what"]: one for one in ailing("doctor")["findings"]}
    assert "alert-receiver" in checks["secrets (test)"]["detail"]


def test_a_lost_node_a_full_quota_and_a_certificate_that_ended(cluster: Cluster, ailing):
    meta = {"namespace": SPACE}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "narrow", **meta}}
    certificate = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "door", **meta}}
    spec = {"secretName": "door-tls", "dnsNames": ["door"], "issuerRef": {"name": "root"}}
    cluster.must([{**quota, "spec": {"hard": {"count/configmaps": "1"}}}, {**certificate, "spec": spec}])
    # What plays the nodes of other tests would say that this one is well.
    cluster.end("kwok")
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "lost"}}
    cluster.must([node])
    status = {
        ("node", "lost"): {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]},
        ("certificate", "door"): {"notAfter": "2026-01-01T00:00:00Z"},
    }
    for (kind, name), given in status.items():
        patch = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": given}))
        done = cluster.kubectl("patch", kind, name, "-n", SPACE, *patch)
        assert done.code == 0, done.err
    # Each namespace has the authority's certificate in a ConfigMap from its first moments.
    cluster.eventually("the quota", lambda: "used" in cluster.get("resourcequota", "narrow", SPACE).get("status", {}))
    cluster.eventually("all three", lambda: seen(ailing) >= {"node lost", "quota narrow", "certificate door"})
    cluster.kubectl("delete", "node", "lost")


def seen(ailing) -> set[str]:
    return {f"{one['kind']} {one['name']}" for one in ailing("status")["troubles"]}
