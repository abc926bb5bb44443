"""Releases and rollbacks against a real API server, with the rights of whoever releases and nobody's more."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlstrata.audit import read as read_log
from mlstrata.cli.main import main
from mlstrata.clients.kubernetes import Cluster as Client
from mlstrata.clients.kubernetes import ClusterError
from mlstrata.operations.releases import release, rollback
from mlstrata.operations.releases import rollout as module
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.kubernetes import KubernetesBackend, status
from mlstrata.services.serving.cluster import VERSION, deployment_of
from tests.support.cluster import Cluster, Json
from tests.support.patience import PATIENCE
from tests.support.releases import BROKEN, MemoryRegistry, Operator, Way, kubeconfig
from tests.support.rendered import ROOT, STAGES
from tests.support.workstation import Everything, kubectl

SYSTEM, SPACE = "mortgage-approval", "mlstrata-dev-lending"
RELEASER = f"{SPACE}:release-{SYSTEM}"
NODE = "where-models-run"


@pytest.fixture(scope="module")
def served(cluster: Cluster, stages: dict[str, list[Json]]) -> Iterator[Cluster]:
    """Give the cluster, with a node that pretends to run pods and what stands for Seldon's operator."""
    cluster.pretend_nodes()
    there = {"cpu": "64", "memory": "256Gi", "pods": "200"}
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"capacity": there, "allocatable": there},
    }
    made = cluster.kubectl("create", "-f", "-", stdin=json.dumps(node))
    assert made.code == 0, made.err
    with Operator(cluster, SYSTEM, SPACE):
        yield cluster
    cluster.kubectl("delete", "deployment", deployment_of(SYSTEM), "-n", SPACE, "--wait=true")
    cluster.kubectl("delete", "node", NODE)


@pytest.fixture
def way(served: Cluster) -> Iterator[Way]:
    made = Way(served.port)
    yield made
    made.close()


@pytest.fixture
def context(served: Cluster, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KubernetesBackend:
    """Give the cluster as whoever releases sees it, and a workspace with the environment; version 1 answers."""
    (tmp_path / "environments").mkdir()
    shutil.copy(ROOT / "environments/dev.yaml", tmp_path / "environments/dev.yaml")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(served, way, RELEASER, tmp_path / "kubeconfig")))
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "mlstrata")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "in-memory")
    # The registry is in memory, and its pod is reached all the same: by a forwarded port that nobody answers at.
    kubectl(tmp_path / "bin", {"ml-dev/mlstrata-dev/pod/mlflow-0:5000": (Everything(), 1)})
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr("mlstrata.operations.releases.backend.Registry", MemoryRegistry)
    made = KubernetesBackend(
        home=tmp_path / ".mlstrata/dev",
        cluster=Client("ml-dev", request_timeout_s=300, patience_s=1),
        namespaces={SYSTEM: SPACE},
        tracking_uri="",
        decider="ana",
        ready_timeout_s=PATIENCE,
        poll_s=0.2,
    )
    release(made, SYSTEM, "1", reason="the start of a test")
    return made


def told(cluster: Cluster) -> str:
    return str(cluster.get("seldondeployments", SYSTEM, SPACE)["spec"]["annotations"][VERSION])


def answering(cluster: Cluster) -> dict[str, int]:
    """Return how many pods of each version are ready."""
    answer = cluster.kubectl("get", "pods", "-n", SPACE, "-l", f"seldon-deployment-id={SYSTEM}", "-o", "json")
    found: dict[str, int] = {}
    for pod in answer.json["items"]:
        ready = any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
        if ready and "deletionTimestamp" not in pod["metadata"]:
            version = pod["metadata"]["annotations"].get(VERSION, "")
            found[version] = found.get(version, 0) + 1
    return found


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (("get", "pods/mlflow-0"), True),
        (("create", "pods/mlflow-0", "--subresource=portforward"), True),
        (("get", "pods/mlflow-0", "--subresource=portforward"), True),
        (("get", "secrets/mlflow-access"), True),
        (("create", "pods/mlflow-0", "--subresource=exec"), False),
        (("create", "pods/database-1", "--subresource=portforward"), False),
        (("create", "pods", "--subresource=portforward"), False),
        (("get", "secrets/database-app"), False),
        (("list", "secrets"), False),
        (("list", "pods"), False),
    ],
)
def test_whoever_releases_reaches_the_registrys_pod_and_no_other(
    cluster: Cluster, stages: dict[str, list[Json]], asked: tuple[str, ...], allowed: bool
):
    verb, resource, *options = asked
    assert cluster.can(RELEASER, verb, resource, "mlstrata-dev", *options) is allowed
    group = f"--as-group=mlstrata:dev:{SYSTEM}:release"
    assert cluster.can("ana", verb, resource, "mlstrata-dev", group, *options) is allowed


@pytest.mark.parametrize(
    ("verb", "resource", "allowed"),
    [
        ("get", f"seldondeployments.machinelearning.seldon.io/{SYSTEM}", True),
        ("patch", f"seldondeployments.machinelearning.seldon.io/{SYSTEM}", True),
        ("get", f"deployments.apps/{deployment_of(SYSTEM)}", True),
        ("patch", f"deployments.apps/{deployment_of(SYSTEM)}", False),
        ("patch", "seldondeployments.machinelearning.seldon.io/another", False),
        ("list", "seldondeployments.machinelearning.seldon.io", False),
        ("create", "seldondeployments.machinelearning.seldon.io", False),
        ("delete", f"seldondeployments.machinelearning.seldon.io/{SYSTEM}", False),
        ("update", f"seldondeployments.machinelearning.seldon.io/{SYSTEM}", False),
        ("patch", f"httproutes.gateway.networking.k8s.io/{SYSTEM}", False),
        ("get", "secrets", False),
        ("list", "pods", False),
        ("create", "pods/portforward", False),
        ("create", "jobs.batch", False),
        ("escalate", "roles.rbac.authorization.k8s.io", False),
    ],
)
def test_whoever_releases_can_do_this_and_no_more(
    cluster: Cluster, stages: dict[str, list[Json]], verb: str, resource: str, allowed: bool
):
    assert cluster.can(RELEASER, verb, resource, SPACE) is allowed
    group = f"--as-group=mlstrata:dev:{SYSTEM}:release"
    assert cluster.can("ana", verb, resource, SPACE, group) is allowed
    for elsewhere in ("kube-system", "mlstrata-dev", "mlstrata-dev-service-desk"):
        assert cluster.can(RELEASER, verb, resource, elsewhere) is False


def test_a_release_and_a_rollback_by_the_commands(served: Cluster, context: KubernetesBackend, capsys: Any):
    before = served.get("seldondeployments", SYSTEM, SPACE)["metadata"]["generation"]
    why = ["--reason", "better", "--decider", "ben"]
    assert main(["release", "dev", SYSTEM, "--version", "2", "--yes", *why, "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["version"], done["previous"], done["changed"]) == ("2", "1", True)
    assert answering(served) == {"2": status(context, SYSTEM).wanted}
    assert MemoryRegistry.alias[SYSTEM] == "2"
    assert status(context, SYSTEM).differences == ()
    assert main(["rollback", "dev", SYSTEM, "--reason", "worse", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == "1"
    assert answering(served) == {"1": status(context, SYSTEM).wanted}
    assert MemoryRegistry.alias[SYSTEM] == "1"
    after = served.get("seldondeployments", SYSTEM, SPACE)["metadata"]["generation"]
    assert after - before == 2, "one patch of the spec a decision"
    log = read_log(context.audit_file)
    last = [json.loads(one.text) if hasattr(one, "text") else vars(one) for one in log][-2:]
    assert [("release" in str(one), "rollback" in str(one)) for one in last] == [(True, False), (False, True)]
    assert main(["status", "dev", "--json"]) in {0, 1}
    systems = json.loads(capsys.readouterr().out)["systems"]
    assert next(one for one in systems if one["name"] == SYSTEM)["champion"] == "1"


def test_deploying_the_environment_again_leaves_what_was_released(
    served: Cluster, context: KubernetesBackend, stages: dict[str, list[Json]]
):
    release(context, SYSTEM, "2", reason="better")
    declared = next(
        one for one in stages[STAGES[-1]] if one["kind"] == "SeldonDeployment" and one["metadata"]["name"] == SYSTEM
    )
    text = json.dumps(declared)
    # By the very manager that deploys, and not by force: both sides own what they set, and nothing of the other's.
    manager = ("--server-side", "--field-manager=mlstrata")
    difference = served.kubectl("diff", *manager, "-f", "-", stdin=text)
    assert (difference.code, difference.out) == (0, ""), difference.out + difference.err
    changed = json.loads(text)
    changed["metadata"]["annotations"]["example.com/changed"] = "by a deployment"
    changed["spec"]["predictors"][0]["labels"]["example.com/changed"] = "yes"
    assert served.kubectl("apply", *manager, "-f", "-", stdin=json.dumps(changed)).code == 0
    assert told(served) == "2"
    assert status(context, SYSTEM).releases.champion == "2"
    assert rollback(context, SYSTEM, reason="back").version == "1"
    found = served.get("seldondeployments", SYSTEM, SPACE)
    assert found["metadata"]["annotations"]["example.com/changed"] == "by a deployment"
    owned = [
        one
        for one in served.kubectl(
            "get", "seldondeployments", SYSTEM, "-n", SPACE, "-o", "json", "--show-managed-fields"
        ).json["metadata"]["managedFields"]
        if one["manager"] == "mlstrata-release"
    ]
    (ours,) = owned
    assert ours["operation"] == "Apply"
    assert set(ours["fieldsV1"]) == {"f:metadata", "f:spec"}
    assert ours["fieldsV1"]["f:spec"] == {"f:annotations": {f"f:{VERSION}": {}, "f:mlstrata.io/model-digest": {}}}
    assert served.kubectl("apply", *manager, "-f", "-", stdin=text).code == 0


def test_a_version_that_does_not_answer_is_put_back_while_the_one_before_answers(
    served: Cluster, context: KubernetesBackend
):
    seen: list[dict[str, int]] = []
    impatient = replace(context, ready_timeout_s=4, on_step=lambda _: seen.append(answering(served)))
    with pytest.raises(RolloutError, match=r"version 9 of mortgage-approval does not answer in 4 s: .*kubectl logs"):
        release(impatient, SYSTEM, BROKEN, reason="a try")
    assert seen
    assert all(one.get("1", 0) >= 1 for one in seen)
    assert told(served) == "1"
    assert MemoryRegistry.alias[SYSTEM] == "1"
    assert status(context, SYSTEM).releases.champion == "1"
    assert answering(served).get("1", 0) >= 1


class Died(BaseException):
    """Stands for kill -9: nothing after it runs, not even what would undo."""


def dying(step: str) -> Callable[[str], None]:
    def on_step(name: str) -> None:
        if name == step:
            raise Died

    return on_step


@pytest.mark.parametrize("step", ["serve", "alias", "audit", "settle"])
def test_a_release_that_was_killed_goes_on_when_it_is_run_again(
    served: Cluster, context: KubernetesBackend, step: str, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr(module, "_undo", lambda *_: True)
        patch.setattr(module.Journal, "failed", lambda *_: None)
        with pytest.raises(Died):
            release(replace(context, on_step=dying(step)), SYSTEM, "2", reason="better")
    assert "run it once more" in " ".join(status(context, SYSTEM).differences)
    done = release(context, SYSTEM, "2", reason="better")
    assert (done.version, done.changed) == ("2", True)
    after = status(context, SYSTEM)
    assert after.differences == ()
    assert [one.to for one in after.releases.history][-2:] == ["1", "2"], "one decision, however often it was run"


def test_a_server_that_is_gone_in_mid_release_leaves_the_one_before_and_the_next_run_converges(
    served: Cluster, way: Way, context: KubernetesBackend
):
    # Each question to a server that is cut off takes this long.
    quick = replace(context, cluster=replace(context.cluster, request_timeout_s=10))
    cut = replace(quick, on_step=lambda step: way.cut() if step == "serve" else None)
    with pytest.raises(ClusterError, match=r"does not answer.*could not be reverted.*run this again") as raised:
        release(cut, SYSTEM, "2", reason="better")
    assert raised.value.args
    assert sum(answering(served).values()) >= 1
    assert "does not answer" in " ".join(status(quick, SYSTEM).differences)
    way.mend()
    assert release(context, SYSTEM, "2", reason="better").version == "2"
    assert status(context, SYSTEM).differences == ()
    assert answering(served) == {"2": status(context, SYSTEM).wanted}


def test_a_field_that_somebody_else_has_set_is_not_taken_over(served: Cluster, context: KubernetesBackend):
    patch = json.dumps({"spec": {"annotations": {VERSION: "7"}}})
    names = ("seldondeployments", SYSTEM, "-n", SPACE)
    done = served.kubectl("patch", *names, "--type=merge", "--field-manager=someone", "-p", patch)
    assert done.code == 0, done.err
    try:
        with pytest.raises(ClusterError, match=r"conflict .*someone"):
            release(context, SYSTEM, "2", reason="better")
        assert told(served) == "7"
    finally:
        patch = json.dumps({"spec": {"annotations": {VERSION: None}}})
        assert served.kubectl("patch", *names, "--type=merge", "--field-manager=someone", "-p", patch).code == 0


def test_two_machines_at_once_are_one_release(served: Cluster, context: KubernetesBackend, tmp_path: Path):
    other = replace(context, home=tmp_path / "other")

    def meanwhile(step: str) -> None:
        if step == "decide":
            release(other, SYSTEM, "3", reason="the other's")

    with pytest.raises(ClusterError, match="another user released mortgage-approval meanwhile"):
        release(replace(context, on_step=meanwhile), SYSTEM, "2", reason="better")
    assert told(served) == "3"
    assert status(context, SYSTEM).differences == ()


def test_who_may_not_release_is_told_what_to_ask_for(
    served: Cluster, way: Way, context: KubernetesBackend, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    folder = context.home.parents[1]
    team = kubeconfig(served, way, f"{SPACE}:team", folder / "team")
    monkeypatch.setenv("KUBECONFIG", str(team))
    assert main(["release", "dev", SYSTEM, "--version", "2", "--yes", "--reason", "x"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "you may not" in said
    assert "release-SYSTEM" in said
    assert told(served) == "1"
    monkeypatch.setenv("KUBECONFIG", str(folder / "none"))
    assert main(["rollback", "dev", SYSTEM, "--reason", "x"]) == 2
    assert "no context 'ml-dev'" in " ".join(capsys.readouterr().err.split())
