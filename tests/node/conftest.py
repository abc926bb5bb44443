"""One node for all tests of this folder, and a workstation beside it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlstrata.components.upstream import lock
from tests.support.cluster import Json
from tests.support.node.database import PASSWORD, URI, Database
from tests.support.node.jobs import Job
from tests.support.node.node import Node
from tests.support.node.runtime import give
from tests.support.node.workstation import Workstation
from tests.support.order import run_last

HERE, LAST = Path(__file__).parent, "test_serving.py"
RELEASER = "releaser"
SYSTEM, SPACE, TEAM = "mortgage-forest", "ml-dev", "ml-dev-lending"
REGISTRY = {"password": "registry-of-the-test"}
SECRETS = {
    (SPACE, "database"): {"username": "mlflow", "password": PASSWORD, "uri": URI},
    (SPACE, "mlflow-access"): REGISTRY,
    (TEAM, "mlflow-access"): REGISTRY,
    (SPACE, "object-store"): {"access_key_id": "store-of-the-test", "secret_access_key": "secret-of-the-store"},
}
"""What `secrets.yaml` of a render asks for, and a person brings."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the test that declares the system anew behind all others of this folder."""
    run_last(items, HERE, LAST)


@pytest.fixture(scope="package")
def node() -> Iterator[Node]:
    made = Node(people={RELEASER: f"mlstrata:dev:{SYSTEM}:release"})
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="package")
def database(node: Node) -> Database:
    return Database(node)


@pytest.fixture(scope="package")
def workstation(node: Node, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Workstation:
    """Deploy the environment onto the node by `mlstrata up`, as docs/kubernetes.md says for the first time."""
    digests = give(node)
    text = (Path(__file__).parent / "dev.yaml").read_text(encoding="utf-8")
    person = Workstation(node, tmp_path_factory.mktemp("workstation"), {"dev": text})
    shutil.copy(Path(__file__).parent / "exemptions.yaml", person.folder / "policies/exemptions.yaml")
    lock.write(person.folder / "environments" / lock.NAME, digests)
    for space in sorted({space for space, _ in SECRETS}):
        assert node.kubectl("create", "namespace", space).code == 0
    for (space, name), values in SECRETS.items():
        given = (f"--from-literal={key}={value}" for key, value in values.items())
        assert node.kubectl("create", "secret", "generic", name, "-n", space, *given).code == 0
    person.do("up", "dev", "--yes")
    return person


@pytest.fixture(scope="package")
def trained(node: Node, workstation: Workstation) -> Json:
    """Train once by the CronJob's own pod; return what it says of the version."""
    result: Json = Job.start(node, f"training-{SYSTEM}", TEAM, "first").result("result")["result"]
    return result
