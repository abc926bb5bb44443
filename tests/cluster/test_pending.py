"""What waits in a real cluster is seen with its reason: as the scheduler, the controllers and a kubelet say it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mlstrata.clients.kubernetes import Cluster as Client
from mlstrata.clients.kubernetes import ClusterError
from mlstrata.operations.pending.look import Look
from mlstrata.operations.pending.watch import Watch
from tests.support.cluster import Cluster, Json
from tests.support.deployed import node, storage_class, volume

SPACE, TINY = "pending-test", "registry.example/tool:1.0"
# Other tests of this cluster leave pods that find no node: the one here is for these tests' pods alone.
ALONE = {"key": "test", "value": SPACE, "effect": "NoSchedule"}
STATIC = {"static": "Immediate", "first-consumer": "WaitForFirstConsumer"}


def deployment(name: str, cpu: str = "100m", claim: str = "", **pod: Any) -> Json:
    only: Json = {"name": "main", "image": TINY, "resources": {"requests": {"cpu": cpu}}}
    spec: Json = {"containers": [only], "tolerations": [ALONE], **pod}
    if claim:
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def claim(name: str, storage_class_name: str | None) -> Json:
    spec: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    if storage_class_name is not None:
        spec["storageClassName"] = storage_class_name
    metadata = {"name": name, "namespace": SPACE}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def space(cluster: Cluster) -> Iterator[Cluster]:
    """Give a namespace whose pods have one node of two processors, with claims of every kind."""
    cluster.pretend_nodes()
    cluster.kubectl("delete", "nodes", "--all", "--wait=true")
    cluster.must([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}])
    cluster.must([storage_class(name, mode=mode) for name, mode in STATIC.items()])
    small = {**node("small", cpu="2"), "spec": {"taints": [ALONE]}}
    made = cluster.kubectl("create", "-f", "-", stdin=json.dumps(small))
    assert made.code == 0, made.err
    cluster.eventually("the account", lambda: cluster.kubectl("get", "sa", "default", "-n", SPACE).code == 0)
    yield cluster
    cluster.kubectl("delete", "namespace", SPACE, "--wait=true")
    cluster.kubectl("delete", "storageclass", *STATIC)
    cluster.kubectl("delete", "nodes", "--all")


@pytest.fixture
def look(space: Cluster, monkeypatch: pytest.MonkeyPatch) -> Look:
    monkeypatch.setenv("KUBECONFIG", str(space.kubeconfig))
    return Look(Client("test", patience_s=0), (SPACE,))


def reasons(look: Look) -> dict[str, str]:
    return {one.name: one.reason for one in look()}


def comes(cluster: Cluster, look: Look, name: str, reason: str) -> None:
    cluster.eventually(f"{name}: {reason}", lambda: reasons(look).get(name, "").startswith(reason))


def test_a_pod_that_is_too_large_has_what_is_asked_and_what_is_free(space, look):
    space.must([deployment("large", cpu="64"), deployment("small", cpu="500m")])
    space.eventually("the small one", lambda: space.get("deploy", "small", SPACE)["status"].get("readyReplicas") == 1)
    comes(space, look, "large", "no node fits: cpu 64 asked, 1.5 free on the one node")
    assert "small" not in reasons(look)
    space.kubectl("delete", "deploy", "large", "small", "-n", SPACE, "--wait=true")


def test_claims_wait_for_a_volume_or_a_class_or_for_nothing(space, look):
    space.must([claim("static", "static"), claim("unknown", "fast"), claim("classless", None)])
    space.must([claim("unused", "first-consumer")])
    comes(space, look, "static", "no volume: no 1Gi of class 'static' is free, and nothing makes one")
    comes(space, look, "unknown", "no storage class 'fast'; the cluster has first-consumer, static")
    comes(space, look, "classless", "no volume: it names no storage class, and the cluster has no default one")
    assert "unused" not in reasons(look), "it binds with its first pod: it is not stuck"
    space.must([deployment("user", claim="static")])
    space.eventually("its pod", lambda: space.kubectl("get", "pods", "-n", SPACE, "-l", "app=user", "-o", "name").out)
    assert "user" not in reasons(look), "its claim says what it waits for"
    space.must([volume("static", 1)])
    space.eventually("the volume", lambda: "static" not in reasons(look))
    space.must([deployment("consumer", claim="unused")])
    comes(space, look, "consumer", "no node fits: ")
    space.kubectl("delete", "deploy", "user", "consumer", "-n", SPACE, "--wait=true")
    space.kubectl("delete", "pvc", "--all", "-n", SPACE, "--wait=true")
    space.kubectl("delete", "pv", "static-1")


def test_a_quota_has_what_is_asked_and_what_is_used(space, look):
    metadata = {"name": "narrow", "namespace": SPACE}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {"requests.cpu": "1"}}}
    space.must([quota])
    space.eventually("the quota", lambda: "used" in space.get("resourcequota", "narrow", SPACE).get("status", {}))
    space.must([deployment("over", cpu="1500m")])
    comes(space, look, "over", "quota 'narrow': requests.cpu 1500m asked, 0 of 1 used")
    space.kubectl("delete", "resourcequota", "narrow", "-n", SPACE, "--wait=true")
    # Its set tries again after longer and longer; a new one does at once, and a pod of the old one goes with it.
    space.kubectl("delete", "rs", "-l", "app=over", "-n", SPACE, "--wait=true")
    space.eventually("its pod", lambda: "over" not in reasons(look))
    space.kubectl("delete", "deploy", "over", "-n", SPACE, "--wait=true")


def test_an_image_that_is_not_there_is_named(space, look):
    """No kubelet pulls anything here: the test says what one says."""
    name, message = "no-image", f'failed to resolve reference "{TINY}": {TINY}: not found'
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": SPACE}}
    # On a node that nobody pretends, so that nobody says that it runs.
    space.must([{**pod, "spec": {"nodeName": "nobodys", "containers": [{"name": "main", "image": TINY}]}}])
    waiting = {"reason": "ErrImagePull", "message": message}
    status = {"name": "main", "image": TINY, "imageID": "", "ready": False, "restartCount": 0}
    patch = {"status": {"phase": "Pending", "containerStatuses": [{**status, "state": {"waiting": waiting}}]}}
    options = ("--subresource=status", "--type=merge", "-p", json.dumps(patch))
    done = space.kubectl("patch", "pod", name, "-n", SPACE, *options)
    assert done.code == 0, done.err
    comes(space, look, name, f"image not found: {TINY}")
    space.kubectl("delete", "pod", name, "-n", SPACE, "--force", "--grace-period=0")


def test_a_watcher_tells_it_while_something_else_runs(space, look):
    space.must([deployment("watched", cpu="64")])
    said: list[str] = []
    seen: list[object] = []

    def looking():
        seen.append(found := look())
        return found

    with Watch(looking, said.append) as watch:
        space.eventually("the line", lambda: said)
        looks = len(seen)
        space.eventually("two more looks", lambda: len(seen) >= looks + 2)
    assert len(said) == 1, "once"
    assert said[0].startswith(f"waits: pod watched in {SPACE}: no node fits: cpu 64 asked")
    assert [one.wait.name for one in watch.told] == ["watched"]
    space.kubectl("delete", "deploy", "watched", "-n", SPACE, "--wait=true")


def test_credentials_that_are_refused_are_one_line(space, tmp_path, monkeypatch):
    text = space.kubeconfig.read_text(encoding="utf-8")
    refused = tmp_path / "kubeconfig"
    refused.write_text(text.replace(space.tokens["admin"], "one that ran out"), encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(refused))
    with pytest.raises(ClusterError, match=r"authentication failed \(Unauthorized\); refresh the credentials") as told:
        Client("test", patience_s=0).reach()
    assert "\n" not in str(told.value)
    monkeypatch.setenv("KUBECONFIG", str(space.kubeconfig))
    Client("test", patience_s=0).reach()
