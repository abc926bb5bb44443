"""A system that answers is replaced and drained while a client outside asks, and loses no request."""

from __future__ import annotations

import json
from collections import Counter

from mlstrata.services.serving.cluster import deployment_of
from tests.support.cluster import Cluster
from tests.support.node.client import Client
from tests.support.node.environment import ANSWERS, TEAM


def test_rolled_and_drained_under_requests_without_a_lost_one(node: Cluster, client: Client) -> None:
    with client.asking(threads=3, each_s=0.1) as asked:
        deployment = f"deployment/{deployment_of(ANSWERS)}"
        assert node.kubectl("rollout", "restart", deployment, "-n", TEAM).code == 0
        done = node.kubectl("rollout", "status", deployment, "-n", TEAM, "--timeout=900s")
        assert done.code == 0, done.err + node.troubles()
        node.eventually("the new copies alone", lambda: len(copies(node)) == 2)
        # A budget of one at a time: the second drain is refused until the first pod's successor is there.
        assert [evict(node, name) for name in copies(node)] == [True, False]
        node.eventually("both again", lambda: available(node) == 2)
    counted = Counter(one.status for one in asked)
    assert set(counted) == {"200"}, counted
    assert counted["200"] > 100


def evict(node: Cluster, pod: str) -> bool:
    """Ask for a pod to go, as a drain does; say whether it was granted."""
    asked = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": TEAM}}
    path = f"/api/v1/namespaces/{TEAM}/pods/{pod}/eviction"
    return node.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(asked)).code == 0


def available(node: Cluster) -> int:
    """Return how many copies answer."""
    return int(node.get("deployment", deployment_of(ANSWERS), TEAM)["status"].get("availableReplicas", 0))


def copies(node: Cluster) -> list[str]:
    """Return the names of its pods that were not asked to end."""
    answer = node.kubectl("get", "pods", "-n", TEAM, "-l", f"mlstrata.io/serves={ANSWERS}", "-o", "json")
    return [one["metadata"]["name"] for one in answer.json["items"] if "deletionTimestamp" not in one["metadata"]]
