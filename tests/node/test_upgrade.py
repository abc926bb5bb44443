"""The next release of the platform's own image takes over while a client outside asks, and loses no request."""

from __future__ import annotations

from collections import Counter

import yaml

from mlstrata.components.upstream import lock
from tests.support.cluster import is_ready
from tests.support.node.client import Client
from tests.support.node.environment import ANSWERS, NAME, SPACE, TEAM, TOLD
from tests.support.node.node import Node
from tests.support.node.runtime import OURS
from tests.support.node.workstation import Workstation


def test_the_next_release_takes_over_under_requests(machine: Node, workstation: Workstation, client: Client) -> None:
    environments = workstation.folder / "environments"
    locked = lock.read(environments / lock.NAME)
    of_next = {name: machine.next_release(name, locked[name]) for name in OURS}
    document = yaml.safe_load((environments / f"{NAME}.yaml").read_text(encoding="utf-8"))
    # As a mirror has it, by its own digest.
    machine.mirror(document["mirror"]["registry"], {**locked, **of_next})
    lock.write(environments / lock.NAME, {**locked, **of_next})

    def of_the_next() -> bool:
        pods = [one for one in machine.pods(SPACE, TEAM) if one["metadata"]["name"].startswith((ANSWERS, "mlflow"))]
        images = {one["image"].rpartition("@")[2] for pod in pods for one in pod["spec"]["containers"]}
        return all(map(is_ready, pods)) and images == set(of_next.values())

    with client.asking(threads=3, each_s=0.1) as asked:
        workstation.do("up", NAME, "--yes")
        machine.eventually("the next release alone", of_the_next)
    counted = Counter(one.status for one in asked)
    TOLD.append(f"of {len(asked)} predictions under an upgrade {len(asked) - counted['200']} lost")
    assert set(counted) == {"200"}, counted
    assert counted["200"] > 100
    systems = {one["name"]: one for one in workstation.do("status", NAME, "--json").json["systems"]}
    assert (systems[ANSWERS]["champion"], systems[ANSWERS]["healthy"]) == ("1", True)
    counts = workstation.do("up", NAME, "--yes", "--json").json["counts"]
    assert {what: number for what, number in counts.items() if what != "same" and number} == {}
