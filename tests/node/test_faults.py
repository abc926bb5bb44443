"""What a cluster does to what runs: the registry's pod is killed, its database is away, the node's agents end."""

from tests.support.cluster import Json
from tests.support.node.database import Database
from tests.support.node.jobs import Job
from tests.support.node.node import Node
from tests.support.node.pods import namespace, pod
from tests.support.node.workstation import Workstation

SYSTEM, SPACE, TEAM, POD = "mortgage-forest", "ml-dev", "ml-dev-lending", "mlflow-0"


def kill(node: Node, name: str) -> None:
    """Have a pod end at once, as with a node that is gone."""
    answer = node.kubectl("delete", "pod", name, "-n", SPACE, "--grace-period=0", "--force", "--wait=false")
    assert answer.code == 0, answer.err


def ready(node: Node) -> bool:
    """Say whether the registry's pod is in service."""
    answer = node.kubectl("get", "pod", POD, "-n", SPACE, "-o", "json")
    found = answer.json["status"].get("conditions", []) if answer.code == 0 else []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in found)


def test_a_training_outlives_the_registry_and_its_database(
    node: Node, workstation: Workstation, database: Database
) -> None:
    job = Job.start(node, f"training-{SYSTEM}", TEAM, "through-faults")
    job.reaches("leakage")
    kill(node, POD)
    job.reaches("served")
    database.end()
    node.eventually("the registry out of service, as it cannot answer", lambda: not ready(node))
    kill(node, POD)
    # It comes back without its database; the next step asks it for the champion, and waits.
    job.reaches("compare")
    database.start()
    result = job.result("result")["result"]
    assert result["gates"]["passed"] is True
    node.eventually("the registry in service", lambda: ready(node))


def test_a_scoring_outlives_the_registry(node: Node, workstation: Workstation, trained: Json) -> None:
    released = workstation.run("release", "dev", SYSTEM, "--version", "1", "--reason", "for the scores", "--yes")
    assert released.code == 0, released.text
    kill(node, POD)
    job = Job.start(node, f"scoring-{SYSTEM}", TEAM, "scores-through-faults")
    assert job.result("scored")["version"] == "1"


def test_pods_outlive_the_nodes_own_agents(node: Node) -> None:
    """Containerd and the kubelet end and start again; what runs goes on, and what is asked then is done."""
    node.must([namespace("later"), pod("first", "later")])
    wait = ("wait", "-n", "later", "--for=condition=Ready", "--timeout=900s")
    assert node.kubectl(*wait, "pod/first").code == 0
    before = node.get("pod", "first", "later")["status"]["containerStatuses"]
    node.restart_agents()
    node.must([pod("second", "later")])
    asked = node.kubectl(*wait, "pod/second", "pod/first")
    assert asked.code == 0, asked.err + node.troubles()
    assert node.get("pod", "first", "later")["status"]["containerStatuses"] == before
