"""A system that answers on a real node: released by the Role, then its pods are replaced and drained under requests."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import yaml

from mlstrata.services.serving.cluster import deployment_of
from tests.support.cluster import Json
from tests.support.definitions import OURS
from tests.support.node.inside import Door
from tests.support.node.node import Node
from tests.support.node.seldon import Operator
from tests.support.node.workstation import Workstation

RELEASER, SYSTEM, TEAM = "releaser", "mortgage-forest", "ml-dev-lending"
# Of the gateway, which does not run here: the node itself asks, as probes do.
LEFT = {"HTTPRoute", "SecurityPolicy", "BackendTrafficPolicy"}
WHY = ("--reason", "to answer", "--yes", "--json")


def realtime(text: str) -> str:
    """Return the environment's file with its system answering requests, by two copies."""
    text = re.sub(r"off: \[.*\]", "off: [monitoring, alerts, pipelines, plausibility, gpu_pools, backup]", text)
    return re.sub(r"serving: .*", "serving: {replicas: {min: 2, max: 2}, consumers: [{name: desk, rate: 9/s}]}", text)


@pytest.fixture(scope="module")
def answering(node: Node, workstation: Workstation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workstation]:
    """Apply what `mlstrata render` has of the system, as Argo CD or Flux would, beside what is deployed."""
    text = (workstation.folder / "environments/dev.yaml").read_text(encoding="utf-8")
    folder = tmp_path_factory.mktemp("answering")
    person = Workstation(node, folder, {"dev": realtime(text)})
    locked = "environments/images.lock.json"
    (person.folder / locked).write_text((workstation.folder / locked).read_text(encoding="utf-8"), encoding="utf-8")
    node.must(list(yaml.safe_load_all((OURS / "seldon.yaml").read_text(encoding="utf-8"))))
    person.do("render", "dev", "-o", str(folder / "out"))
    objects = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (folder / f"out/{SYSTEM}").glob("*.yaml")]
    node.eventually("Seldon's kind", lambda: node.kubectl("get", "seldondeployments", "-A").code == 0)
    node.must(sorted((one for one in objects if one["kind"] not in LEFT), key=lambda one: one["kind"]))
    operator = Operator(node)
    yield person
    operator.end()


def ask(port: int) -> str:
    """Ask for a prediction by a connection of its own; return the status, or what happened."""
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            answer = client.post(f"/systems/{SYSTEM}/v1/predict", json={"instances": [INSTANCE]})
            return str(answer.status_code)
    except httpx.HTTPError as error:
        return type(error).__name__


@contextmanager
def asking(node: Node) -> Iterator[Counter[str]]:
    """Ask for predictions all the time until the block ends; count how each ended."""
    service = node.get("service", f"{SYSTEM}-champion-model", TEAM)
    door = Door(node.pid, service["spec"]["clusterIP"], 9000)
    counted: Counter[str] = Counter()
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(0.1):
            counted[ask(door.port)] += 1

    threads = [threading.Thread(target=follow, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield counted
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        door.close()


INSTANCE: Json = {
    "pirat": 0.3, "hirat": 0.25, "lvrat": 0.8, "chist": 5, "mhist": 2, "phist": "no", "unemp": 3.9,
    "selfemp": "no", "insurance": "no", "condomin": "no", "hschool": "yes",
}  # fmt: skip


def test_released_and_drained_under_requests_without_a_lost_one(
    node: Node, answering: Workstation, trained: Json
) -> None:
    released = answering.do("release", "dev", SYSTEM, "--version", "1", *WHY, user=RELEASER)
    assert released.json["version"] == "1"
    with asking(node) as counted:
        deployment = f"deployment/{deployment_of(SYSTEM)}"
        assert node.kubectl("rollout", "restart", deployment, "-n", TEAM).code == 0
        done = node.kubectl("rollout", "status", deployment, "-n", TEAM, "--timeout=900s")
        assert done.code == 0, done.err + node.troubles()
        node.eventually("the new copies alone", lambda: len(copies(node)) == 2)
        # A budget of one at a time: the second drain is refused until the first pod's successor is there.
        assert [evict(node, name) for name in copies(node)] == [True, False]
        node.eventually("both again", lambda: available(node) == 2)
    assert set(counted) == {"200"}, counted
    assert counted["200"] > 100


def evict(node: Node, pod: str) -> bool:
    """Ask for a pod to go, as a drain does; say whether it was granted."""
    asked = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": TEAM}}
    path = f"/api/v1/namespaces/{TEAM}/pods/{pod}/eviction"
    return node.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(asked)).code == 0


def available(node: Node) -> int:
    """Return how many copies answer."""
    return int(node.get("deployment", deployment_of(SYSTEM), TEAM)["status"].get("availableReplicas", 0))


def copies(node: Node) -> list[str]:
    """Return the names of its pods that were not asked to end."""
    answer = node.kubectl("get", "pods", "-n", TEAM, "-l", f"mlstrata.io/serves={SYSTEM}", "-o", "json")
    return [one["metadata"]["name"] for one in answer.json["items"] if "deletionTimestamp" not in one["metadata"]]
