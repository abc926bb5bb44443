"""What a cluster does to what runs: the registry's pod is killed, its database is away, the node's agents end."""

from tests.support.cluster import Json, is_ready
from tests.support.node.database import Database
from tests.support.node.environment import BATCH, NAME, RELEASER, SPACE, TEAM
from tests.support.node.jobs import Job
from tests.support.node.node import Node
from tests.support.node.pods import namespace, pod
from tests.support.node.workstation import Workstation

POD = "mlflow-0"
WHY = ("--reason", "through faults", "--yes")


def kill(machine: Node, name: str) -> None:
    """Have a pod end at once, as with a machine that is gone."""
    answer = machine.kubectl("delete", "pod", name, "-n", SPACE, "--grace-period=0", "--force", "--wait=false")
    assert answer.code == 0, answer.err


def ready(machine: Node) -> bool:
    """Say whether the registry's pod is in service."""
    return any(one["metadata"]["name"] == POD and is_ready(one) for one in machine.pods(SPACE))


def test_another_training_outlives_the_registry_and_its_database_and_is_rolled_back(
    machine: Node, workstation: Workstation, database: Database, trained: Json
) -> None:
    workstation.run("release", NAME, BATCH, "--version", "1", *WHY, user=RELEASER)
    file = workstation.folder / "environments/dev.yaml"
    text = file.read_text(encoding="utf-8")
    assert "n_estimators: 50" in text
    file.write_text(text.replace("n_estimators: 50", "n_estimators: 60"), encoding="utf-8")
    workstation.do("up", NAME, "--yes")
    job = Job.start(machine, f"training-{BATCH}", TEAM, "through-faults")
    job.reaches("leakage")
    kill(machine, POD)
    job.reaches("served")
    database.end()
    machine.eventually("the registry out of service, as it cannot answer", lambda: not ready(machine))
    kill(machine, POD)
    # It comes back without its database; the next step asks it for the champion, and waits.
    job.reaches("compare")
    database.start()
    result = job.result("result")["result"]
    assert (result["version"], result["gates"]["passed"]) == ("2", True)
    machine.eventually("the registry in service", lambda: ready(machine))

    workstation.do("release", NAME, BATCH, "--version", "2", *WHY, user=RELEASER)
    kill(machine, POD)
    job = Job.start(machine, f"scoring-{BATCH}", TEAM, "scores-through-faults")
    assert job.result("scored")["version"] == "2"
    machine.eventually("the registry in service", lambda: ready(machine))
    workstation.do("rollback", NAME, BATCH, *WHY[:2], user=RELEASER)
    assert Job.start(machine, f"scoring-{BATCH}", TEAM, "scores-of-before").result("scored")["version"] == "1"
    (system,) = [one for one in workstation.do("status", NAME, "--json").json["systems"] if one["name"] == BATCH]
    assert (system["champion"], system["healthy"]) == ("1", True)


def test_pods_outlive_the_nodes_own_agents(machine: Node) -> None:
    """Containerd and the kubelet end and start again; what runs goes on, and what is asked then is done."""
    machine.must([namespace("later"), pod("first", "later")])
    wait = ("wait", "-n", "later", "--for=condition=Ready", "--timeout=900s")
    assert machine.kubectl(*wait, "pod/first").code == 0
    before = machine.get("pod", "first", "later")["status"]["containerStatuses"]
    machine.restart_agents()
    machine.must([pod("second", "later")])
    asked = machine.kubectl(*wait, "pod/second", "pod/first")
    assert asked.code == 0, asked.err + machine.troubles()
    assert machine.get("pod", "first", "later")["status"]["containerStatuses"] == before
