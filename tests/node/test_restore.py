"""The database or the object store loses its volume: the jobs that restore bring back what the nightly one kept."""

from mlstrata.components.storage.kubernetes import NAME as STORE
from tests.support.cluster import is_ready
from tests.support.node.client import Client
from tests.support.node.database import Database
from tests.support.node.environment import ANSWERS, BATCH, NAME, RELEASER, SPACE, TEAM
from tests.support.node.jobs import Job
from tests.support.node.node import Node
from tests.support.node.workstation import Workstation


def fetched_again(machine: Node) -> None:
    """Replace a pod that answers: it fetches its version from the registry, and its files from the store."""
    pods = [one for one in machine.pods(TEAM) if one["metadata"]["name"].startswith(ANSWERS)]
    name = pods[0]["metadata"]["name"]
    assert machine.kubectl("delete", "pod", name, "-n", TEAM, "--wait").code == 0
    machine.eventually(
        "its successor",
        lambda: (
            len(now := [one for one in machine.pods(TEAM) if one["metadata"]["name"].startswith(ANSWERS)]) == len(pods)
            and all(map(is_ready, now))
        ),
    )


def test_a_lost_database_is_restored_from_the_backup(
    machine: Node, workstation: Workstation, database: Database, client: Client
) -> None:
    Job.start(machine, "backup", SPACE, "tonight").end()
    database.lose()
    # What is loaded needs no registry; what starts does, and finds it empty.
    assert client.ask().status == "200"
    Job.start(machine, "backup-restore", SPACE, "after-the-loss").end()
    machine.eventually("the registry", lambda: is_ready(machine.get("pod", "mlflow-0", SPACE)))
    system = {one["name"]: one for one in workstation.do("status", NAME, "--json").json["systems"]}[ANSWERS]
    assert (system["champion"], system["healthy"]) == ("1", True)
    fetched_again(machine)
    assert client.ask().status == "200"
    (report,) = workstation.do("check", NAME, "--live", "--json").json
    assert report["passed"]


def test_a_lost_object_store_is_restored_from_the_backup(
    machine: Node, workstation: Workstation, client: Client
) -> None:
    # Whichever test came first: it is released once more, which changes nothing then.
    workstation.do("release", NAME, BATCH, "--version", "1", "--reason", "again", "--yes", user=RELEASER)
    Job.start(machine, "backup", SPACE, "tonight-with-objects").end()
    # Its volume goes with its claim; the set makes both anew, empty.
    claim, pod = f"data-{STORE}-0", f"{STORE}-0"
    before = machine.get("persistentvolumeclaim", claim, SPACE)["metadata"]["uid"]
    assert machine.kubectl("delete", "pvc", claim, "-n", SPACE, "--wait=false").code == 0
    assert machine.kubectl("delete", "pod", pod, "-n", SPACE, "--wait").code == 0

    def anew() -> bool:
        found = machine.kubectl("get", "pvc", claim, "-n", SPACE, "-o", "jsonpath={.metadata.uid}").out
        if found == before:
            # The set was faster than the end of the claim.
            machine.kubectl("delete", "pod", pod, "-n", SPACE, "--wait=false")
            return False
        return bool(found) and any(is_ready(one) for one in machine.pods(SPACE) if one["metadata"]["name"] == pod)

    machine.eventually("an empty store", anew)
    assert client.ask().status == "200", "what is loaded needs no store"
    Job.start(machine, "backup-restore-objects", SPACE, "after-the-stores-loss").end()
    fetched_again(machine)
    assert client.ask().status == "200"
    scored = Job.start(machine, f"scoring-{BATCH}", TEAM, "scores-after-the-loss").result("scored")
    assert scored["scored"] == scored["rows"] > 0
    counts = workstation.do("up", NAME, "--yes", "--json").json["counts"]
    assert {what: number for what, number in counts.items() if what != "same" and number} == {}
