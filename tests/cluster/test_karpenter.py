"""Karpenter itself, with its provider of nodes that are not there: a training brings a GPU node that goes after it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlstrata.components.cluster import Cluster as Place
from mlstrata.components.cluster import Ownership
from mlstrata.components.gpu.args import ACCELERATOR, GPU, POOL, GpuPoolsArgs, NodeClass
from mlstrata.components.gpu.kubernetes import GpuPools
from mlstrata.environments import Workspace, load
from tests.support.cluster import Cluster, Json
from tests.support.recorded import record
from tests.support.rendered import rendered

CLASS = NodeClass("karpenter.kwok.sh", "KWOKNodeClass", "default")
SPACE, JOB, IDLE = "mlstrata-dev-lending", "training-mortgage-forest", 5
PRICES = {"spot": 0.2, "on-demand": 0.5}
SETTINGS = {
    "SYSTEM_NAMESPACE": "kube-system",
    "KARPENTER_SERVICE": "karpenter",
    "LEADER_ELECTION_NAMESPACE": "kube-system",
    "DISABLE_LEADER_ELECTION": "true",
    "BATCH_MAX_DURATION": "1s",
    "BATCH_IDLE_DURATION": "200ms",
    # Any free port.
    "METRICS_PORT": "0",
    "HEALTH_PROBE_PORT": "0",
}


def machine(name: str, gpus: int) -> Json:
    """Return a kind of machine that there is to be had, as the provider's file lists them."""
    offers = [
        {
            "Price": price * (1 + gpus),
            "Available": True,
            "Requirements": [
                {"key": "karpenter.sh/capacity-type", "operator": "In", "values": [capacity]},
                {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["zone-a"]},
            ],
        }
        for capacity, price in PRICES.items()
    ]
    there = {"cpu": "8", "memory": "32Gi", "ephemeral-storage": "100Gi", **({GPU: str(gpus)} if gpus else {})}
    known = {"architecture": "amd64", "operatingSystems": ["linux"]}
    return {"name": name, "offerings": offers, "resources": there, **known}


def asking(text: str) -> str:
    """Have a system train on a GPU, and the pool give its nodes back at once."""
    assert text.count("idle_after: 5m") == 1
    assert text.count("settings: {parameters: {n_estimators") == 1
    text = text.replace("idle_after: 5m", f"idle_after: {IDLE}s")
    return text.replace("settings: {parameters: {n_estimators", "settings: {gpus: 1, parameters: {n_estimators")


@pytest.fixture(scope="module")
def training(cluster: Cluster, stages: dict[str, list[Json]], tmp_path_factory: pytest.TempPathFactory) -> Json:
    """Apply the training that asks for a GPU over the one that does not, and the pool on nodes that are not there."""
    folder = tmp_path_factory.mktemp("karpenter")
    changed = rendered("dev", "foundation", folder, asking)
    job = next(one for one in changed if one["kind"] == "CronJob" and one["metadata"]["name"] == JOB)
    spec = load(Workspace(folder).environment_file("dev"))
    place = Place("dev", "karpenter-test", Ownership(), {})
    graph = record(
        lambda: GpuPools("gpu", GpuPoolsArgs(place, spec.gpu_pools, "gpu-system", node_class=CLASS)) and None
    )
    [pool] = [dict(one.inputs) for one in graph.resources if one.inputs.get("kind") == "NodePool"]
    nodes = {"apiVersion": f"{CLASS.group}/v1alpha1", "kind": CLASS.kind, "metadata": {"name": CLASS.name}}
    # Nodes of another test would do as well as new ones.
    cluster.kubectl("delete", "nodes", "--all", "--wait=true")
    cluster.must([job, nodes, pool])
    return job


@pytest.fixture(scope="module")
def karpenter(cluster: Cluster, training: Json) -> Iterator[None]:
    machines = cluster.home / "machines.json"
    machines.write_text(json.dumps([machine("plain", 0), machine("t4", 1)]), encoding="utf-8")
    environment = {**SETTINGS, "KUBECONFIG": str(cluster.kubeconfig), "INSTANCE_TYPES_FILE_PATH": str(machines)}
    cluster.pretend_nodes()
    cluster.run("karpenter", **environment)
    cluster.eventually("the pool's readiness", lambda: ready(cluster))
    yield
    cluster.end("karpenter")


def ready(cluster: Cluster) -> bool:
    pool = cluster.get("nodepool", "karpenter-test-train")
    return {"type": "Ready", "status": "True"}.items() <= {
        key: value
        for one in pool.get("status", {}).get("conditions", [])
        if one["type"] == "Ready"
        for key, value in one.items()
    }.items()


def listed(cluster: Cluster, kind: str, *options: str) -> list[Json]:
    answer = cluster.kubectl("get", kind, "-o", "json", *options)
    assert answer.code == 0, answer.err
    found: list[Json] = answer.json["items"]
    return found


def test_a_training_brings_a_gpu_node_and_it_goes_after(cluster: Cluster, karpenter: None, tmp_path: Path):
    assert listed(cluster, "nodes") == []
    made = cluster.kubectl("create", "job", f"--from=cronjob/{JOB}", "gpu", "-n", SPACE)
    assert made.code == 0, made.err

    def running() -> bool:
        pods = listed(cluster, "pods", "-n", SPACE, "-l", "job-name=gpu")
        return bool(pods) and pods[0]["status"].get("phase") == "Running"

    cluster.eventually("the training's pod to run", running)
    [pod] = listed(cluster, "pods", "-n", SPACE, "-l", "job-name=gpu")
    # One node: what else waits in this cluster, for nodes without accelerators, brought none.
    [node] = listed(cluster, "nodes")
    assert pod["spec"]["nodeName"] == node["metadata"]["name"]
    labels = node["metadata"]["labels"]
    assert labels[POOL] == "train"
    assert labels[ACCELERATOR] == "nvidia-t4"
    assert labels["karpenter.sh/capacity-type"] == "spot"  # the pool's, since it is the cheaper one
    assert node["status"]["allocatable"][GPU] == "1"
    assert {taint["key"] for taint in node["spec"]["taints"]} >= {GPU, POOL}

    # Nodes are looked at anew while it runs, and kept.
    with pytest.raises(AssertionError, match="did not come"):
        cluster.eventually("its end", lambda: not listed(cluster, "nodes"), IDLE + 5)
    assert running()

    gone = cluster.kubectl("delete", "job", "gpu", "-n", SPACE, "--wait=true")
    assert gone.code == 0, gone.err
    cluster.eventually("the node's end", lambda: not listed(cluster, "nodes"))
    assert listed(cluster, "nodeclaims") == []
