"""From an empty cluster to the scores of a released model: `mlstrata up`, the jobs' own pods, the documented rights."""

from tests.support.node.jobs import Job
from tests.support.node.node import Node
from tests.support.node.pods import pod

RELEASER, SYSTEM, SPACE, TEAM = "releaser", "mortgage-forest", "ml-dev", "ml-dev-lending"
PROBE = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"


def reached(node: Node, of: str, host: str, port: int) -> bool:
    """Say whether a pod of the team can open a connection."""
    return node.kubectl("exec", "-n", TEAM, of, "--", "python", "-c", PROBE, host, str(port)).code == 0


def test_trained_released_by_the_role_and_scored(node, workstation, trained):
    for space in (SPACE, TEAM):
        labels = node.get("namespace", space)["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert (trained["version"], trained["gates"]["passed"]) == ("1", True)

    # By a person who may release this one system and nothing else, from where only the API is reached.
    why = ("--reason", "the first one", "--yes", "--json")
    released = workstation.do("release", "dev", SYSTEM, "--version", "1", *why, user=RELEASER)
    assert (released.json["version"], released.json["changed"]) == ("1", True)
    group = f"--as-group=mlstrata:dev:{SYSTEM}:release"
    assert node.can(RELEASER, "get", "secrets/mlflow-access", SPACE, group)
    assert not node.can(RELEASER, "get", "secrets/database", SPACE, group)

    scored = Job.start(node, f"scoring-{SYSTEM}", TEAM, "scores").result("scored")
    assert (scored["version"], scored["refused"]) == ("1", 0)
    assert scored["scored"] == scored["rows"] > 0

    (system,) = workstation.do("status", "dev", "--json").json["systems"]
    assert (system["name"], system["champion"], system["healthy"]) == (SYSTEM, "1", True)


def test_deploying_again_changes_nothing(node, workstation):
    counts = workstation.do("up", "dev", "--yes", "--json").json["counts"]
    assert {what: number for what, number in counts.items() if what != "same" and number} == {}


def test_what_need_not_talk_is_refused(node, workstation):
    asleep = ("python", "-c", "import time; time.sleep(1000000)")
    template = node.get("cronjob", f"training-{SYSTEM}", TEAM)["spec"]["jobTemplate"]["spec"]["template"]
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
    for host, port in ((store, 8333), ("192.168.77.1", 5432), ("kubernetes.default.svc", 443)):
        assert not reached(node, "stranger", host, port), host
