"""The database loses its volume: the job that restores brings back what the nightly one kept."""

from tests.support.cluster import is_ready
from tests.support.node.client import Client
from tests.support.node.database import Database
from tests.support.node.environment import ANSWERS, NAME, SPACE, TEAM
from tests.support.node.jobs import Job
from tests.support.node.node import Node
from tests.support.node.workstation import Workstation


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
    # A pod that starts fetches its version from the registry, and its files from the store.
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
    assert client.ask().status == "200"
    (report,) = workstation.do("check", NAME, "--live", "--json").json
    assert report["passed"]
