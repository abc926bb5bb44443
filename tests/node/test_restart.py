"""The node loses its power and comes back: everything is ready again by itself, with its data."""

import datetime as dt

from tests.support.cluster import Json, is_ready
from tests.support.node.balancer import Outside
from tests.support.node.client import Client
from tests.support.node.database import Database
from tests.support.node.environment import ANSWERS, BATCH, CONSUMER, NAME, OPERATORS, SPACE, TEAM
from tests.support.node.jobs import Job
from tests.support.node.node import Node
from tests.support.node.workstation import Workstation

SPACES = (SPACE, TEAM, OPERATORS, "kube-system")


def started(pod: Json) -> list[dt.datetime]:
    """Return when the containers of a pod that run were started."""
    states = [one["state"].get("running") for one in pod["status"].get("containerStatuses", [])]
    return [
        dt.datetime.fromisoformat(one["startedAt"]) if one else dt.datetime.min.replace(tzinfo=dt.UTC) for one in states
    ]


def test_a_node_that_was_started_again_answers(
    machine: Node, workstation: Workstation, database: Database, client: Client
) -> None:
    names = {one["metadata"]["name"] for one in machine.pods(*SPACES)}
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    machine.restart()
    database.return_with_node()

    def whole() -> bool:
        pods = machine.pods(*SPACES)
        return len(pods) >= len(names) and all(
            is_ready(one) and started(one) and min(started(one)) >= before for one in pods
        )

    machine.eventually("every pod", whole)
    token = workstation.do("token", NAME, CONSUMER).out.strip()
    again = Client(machine, Outside(machine).address, SPACE, ANSWERS, token)
    machine.eventually("an answer", lambda: again.ask().status == "200")
    systems = workstation.do("status", NAME, "--json").json["systems"]
    assert [one["healthy"] for one in systems] == [True, True]
    # The registry has its versions, and the store their files.
    scored = Job.start(machine, f"scoring-{BATCH}", TEAM, "scores-after-restart").result("scored")
    assert scored["scored"] == scored["rows"] > 0
    counts = workstation.do("up", NAME, "--yes", "--json").json["counts"]
    assert {what: number for what, number in counts.items() if what != "same" and number} == {}
