"""A pod that asks for a GPU is placed on the node that has one and that it tolerates, and says so when none has."""

import json
from typing import Any

from tests.support.cluster import Cluster, Json

SPACE, TAINT = "nodes-test", {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


def node(name: str, gpus: int) -> Json:
    there = {"cpu": "8", "memory": "32Gi", "pods": "20", **({"nvidia.com/gpu": str(gpus)} if gpus else {})}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"taints": [TAINT] if gpus else []},
        "status": {"capacity": there, "allocatable": there},
    }


def pod(name: str, *, gpus: int, tolerates: bool) -> Json:
    limits = {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": str(gpus)}
    only: dict[str, Any] = {"name": "main", "image": "registry.example/tool:1.0", "resources": {"limits": limits}}
    tolerations = [{"key": TAINT["key"], "operator": "Exists", "effect": "NoSchedule"}] if tolerates else []
    spec = {"containers": [only], "tolerations": tolerations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": SPACE}, "spec": spec}


def phase(cluster: Cluster, name: str) -> tuple[str, str]:
    found = cluster.get("pod", name, SPACE)
    return found["status"].get("phase", ""), found["spec"].get("nodeName", "")


def test_a_gpu_pod_runs_where_a_gpu_is(cluster: Cluster):
    cluster.pretend_nodes()
    cluster.kubectl("delete", "nodes", "--all", "--wait=true")
    cluster.must([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}])
    for one in (node("plain", 0), node("gpu", 2)):
        made = cluster.kubectl("create", "-f", "-", stdin=json.dumps(one))
        assert made.code == 0, made.err
    cluster.eventually("the account", lambda: cluster.kubectl("get", "sa", "default", "-n", SPACE).code == 0)
    cluster.must(
        [
            pod("fits", gpus=1, tolerates=True),
            pod("intolerant", gpus=1, tolerates=False),
            pod("greedy", gpus=3, tolerates=True),
        ]
    )
    cluster.eventually("the pod on the GPU node", lambda: phase(cluster, "fits") == ("Running", "gpu"))
    for waiting in ("intolerant", "greedy"):
        assert phase(cluster, waiting) == ("Pending", "")
    gone = cluster.kubectl("delete", "pod", "fits", "-n", SPACE, "--wait=true", "--timeout=600s")
    assert gone.code == 0, gone.err
