"""The environment of the tests on a node, `tests/node/dev.yaml`: its names, its people, and what is told of it."""

import os
from pathlib import Path

import yaml

from tests.support.cluster import Cluster, Json
from tests.support.node.database import PASSWORD, URI
from tests.support.node.jobs import Job

HERE = Path(__file__).parents[2] / "node"
OWN = os.environ.get("MLSTRATA_TEST_CLUSTER", "")
"""File of an environment on a cluster of one's own, which is tested in place of the node; empty: the node is."""
TEXT = (Path(OWN) if OWN else HERE / "dev.yaml").read_text(encoding="utf-8")
_SAID: Json = yaml.safe_load(TEXT)
NAME, CONTEXT, SPACE = _SAID["name"], _SAID["target"]["context"], _SAID["target"]["namespace"]
TEAM, OPERATORS = f"{SPACE}-{_SAID['teams'][0]['name']}", "envoy-gateway-system"
BATCH, ANSWERS, CONSUMER = "mortgage-forest", "mortgage-answers", "desk"
RELEASER, ANSWERER, OVERSEER = "releaser", "answerer", "overseer"
PEOPLE = {
    RELEASER: f"mlstrata:{NAME}:{BATCH}:release",
    ANSWERER: f"mlstrata:{NAME}:{ANSWERS}:release",
    OVERSEER: f"mlstrata:{NAME}:{ANSWERS}:stop",
}
"""Who may do what, by the group that the environment declares."""
REGISTRY = {"password": "registry-of-the-test"}
SECRETS = {
    **({} if OWN else {(SPACE, "database"): {"username": "mlflow", "password": PASSWORD, "uri": URI}}),
    (SPACE, "mlflow-access"): REGISTRY,
    (TEAM, "mlflow-access"): REGISTRY,
    (SPACE, "object-store"): {"access_key_id": "store-of-the-test", "secret_access_key": "secret-of-the-store"},
}
"""What `secrets.yaml` of a render asks for, and a person brings."""
TOLD: list[str] = []
"""What was measured: how long each step took from an empty cluster to a prediction, and what was lost under kills."""


def train(node: Cluster, system: str, name: str) -> Json:
    """Train a system by its CronJob's own pod; return what is said of the version."""
    result: Json = Job.start(node, f"training-{system}", TEAM, name).result("result")["result"]
    return result
