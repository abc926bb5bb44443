"""From an empty cluster to predictions and scores: `mlstrata up`, the jobs' own pods, the documented rights."""

import json

from mlstrata.environments.spec.quantities import mebibytes
from tests.support.cluster import Cluster
from tests.support.node.client import Client
from tests.support.node.database import PORT
from tests.support.node.environment import (
    ANSWERS,
    BATCH,
    NAME,
    OPERATORS,
    OVERSEER,
    OWN,
    PEOPLE,
    RELEASER,
    SPACE,
    TEAM,
    TOLD,
)
from tests.support.node.files import NODE
from tests.support.node.init import ADDRESS
from tests.support.node.jobs import Job
from tests.support.node.node import Node
from tests.support.node.pods import pod
from tests.support.node.runtime import COMMIT

MIB = 1 << 20
PROBE = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"


def reached(node: Cluster, of: str, host: str, port: int) -> bool:
    """Say whether a pod of the team can open a connection."""
    return node.kubectl("exec", "-n", TEAM, of, "--", "python", "-c", PROBE, host, str(port)).code == 0


def test_trained_released_by_the_role_and_scored(node, workstation, trained):
    for space in (SPACE, TEAM, OPERATORS):
        labels = node.get("namespace", space)["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for one in (BATCH, ANSWERS):
        assert (trained[one]["version"], trained[one]["gates"]["passed"]) == ("1", True)

    # By a person who may release this one system and nothing else, from where only the API is reached.
    why = ("--reason", "the first one", "--yes", "--json")
    released = workstation.do("release", NAME, BATCH, "--version", "1", *why, user=RELEASER)
    assert (released.json["version"], released.json["changed"]) == ("1", True)
    assert workstation.run("release", NAME, ANSWERS, "--version", "1", *why, user=RELEASER).code != 0
    group = f"--as-group={PEOPLE[RELEASER]}"
    assert node.can(RELEASER, "get", "secrets/mlflow-access", SPACE, group)
    assert not node.can(RELEASER, "get", "secrets/database", SPACE, group)

    scored = Job.start(node, f"scoring-{BATCH}", TEAM, "scores").result("scored")
    assert (scored["version"], scored["refused"]) == ("1", 0)
    assert scored["scored"] == scored["rows"] > 0


def test_a_client_outside_gets_predictions_by_its_token_alone(node, workstation, client):
    told = client.ask()
    assert told.status == "200", told
    (prediction,) = json.loads(told.body)["predictions"]
    assert 0 < prediction["probability"] < 1
    assert Client(node, client.address, SPACE, ANSWERS, "").ask().status == "401"
    assert Client(node, client.address, SPACE, ANSWERS, "not.a.token").ask().status == "401"
    # What it says of itself is not believed.
    assert client.ask(**{"x-mlstrata-consumer": "nobody"}).status == "200"


def test_the_human_overseer_stops_it_and_starts_it_again(node, client):
    def switch(header: dict[str, str]) -> None:
        patch = [{"op": "replace", "path": "/spec/rules/0/matches/0/headers/0", "value": header}]
        # As docs/kubernetes.md has it.
        command = ("patch", "httproute", f"{ANSWERS}-stop", "-n", TEAM, "--type=json", "-p", json.dumps(patch))
        done = node.kubectl(*command, f"--as={OVERSEER}", f"--as-group={PEOPLE[OVERSEER]}")
        assert done.code == 0, done.err

    switch({"name": "x-request-id", "type": "RegularExpression", "value": ".*"})
    node.eventually("it stopped", lambda: client.ask().status == "503")
    assert json.loads(client.ask().body)["error"]["code"] == "stopped"
    switch({"name": "x-mlstrata-stopped", "type": "Exact", "value": "nobody-sends-this"})
    node.eventually("it answers again", lambda: client.ask().status == "200")


def test_what_is_said_of_it_is_true(workstation, client):
    # Whichever test came first: it is released once more, which changes nothing then.
    workstation.do("release", NAME, BATCH, "--version", "1", "--reason", "again", "--yes", user=RELEASER)
    systems = {one["name"]: one for one in workstation.do("status", NAME, "--json").json["systems"]}
    assert {name: (one["champion"], one["healthy"]) for name, one in systems.items()} == {
        BATCH: ("1", True),
        ANSWERS: ("1", True),
    }
    (report,) = workstation.do("check", NAME, "--live", "--json").json
    live = [one for one in report["results"] if one["policy"] in {"life-promotion-gate", "life-rollback-target"}]
    assert {one["outcome"] for one in live} <= {"pass", "not_applicable"}, live
    assert [one for one in live if one["policy"] == "life-promotion-gate" and one["outcome"] == "pass"]
    folder = workstation.folder / "dossier"
    written = workstation.do("dossier", NAME, ANSWERS, "-o", str(folder), "--json").json
    assert written["unreadable"] == []
    text = (folder / "technical-documentation.html").read_text(encoding="utf-8")
    assert COMMIT in text, "the commit that its image was built from"


def test_pods_take_no_more_memory_than_they_ask_for(machine: Node, client: Client) -> None:
    for _ in range(50):
        assert client.ask().status == "200"
    answer = machine.kubectl("get", "--raw", f"/api/v1/nodes/{NODE}/proxy/stats/summary")
    used = {
        (one["podRef"]["namespace"], one["podRef"]["name"]): one["memory"]["rssBytes"] / MIB
        for one in answer.json["pods"]
        if "memory" in one
    }
    told = {}
    for found in machine.pods(SPACE, TEAM):
        at = (found["metadata"]["namespace"], found["metadata"]["name"])
        asked = [one["resources"]["requests"]["memory"] for one in found["spec"]["containers"]]
        told[at] = (round(used[at]), sum(map(mebibytes, asked)))
    TOLD.append(f"memory in MiB, used and asked for: { ({name: both for (_, name), both in told.items()}) }")
    assert {at: both for at, both in told.items() if both[0] > both[1]} == {}


def test_deploying_again_changes_nothing(node, workstation):
    counts = workstation.do("up", NAME, "--yes", "--json").json["counts"]
    assert {what: number for what, number in counts.items() if what != "same" and number} == {}


def test_what_need_not_talk_is_refused(node, workstation):
    asleep = ("python", "-c", "import time; time.sleep(1000000)")
    template = node.get("cronjob", f"training-{BATCH}", TEAM)["spec"]["jobTemplate"]["spec"]["template"]
    image = template["spec"]["containers"][0]["image"]
    assert "@sha256:" in image, "as the lock has it"
    stranger = pod("stranger", TEAM, *asleep, image=image)
    # As the training's pods are called, by which policies know them.
    known = pod("known", TEAM, *asleep, image=image, labels=template["metadata"]["labels"])
    node.must([stranger, known])
    answer = node.kubectl("wait", "-n", TEAM, "--for=condition=Ready", "--timeout=900s", "pod/stranger", "pod/known")
    assert answer.code == 0, node.troubles()
    registry, store = f"mlflow.{SPACE}.svc.cluster.local", f"object-store.{SPACE}.svc.cluster.local"
    node.eventually("the way of a training", lambda: reached(node, "known", registry, 5000))
    assert not reached(node, "stranger", registry, 5000)
    answers = f"{ANSWERS}-champion-model.{TEAM}.svc.cluster.local"
    database = () if OWN else ((ADDRESS, PORT),)
    others = ((store, 8333), (answers, 9000), *database, ("kubernetes.default.svc", 443))
    for host, port in others:
        assert not reached(node, "stranger", host, port), host
    assert node.kubectl("delete", "pod", "stranger", "known", "-n", TEAM, "--wait").code == 0
