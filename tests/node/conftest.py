"""One node for all tests of this folder, a workstation beside it, and a client in a network of its own.

With MLSTRATA_TEST_CLUSTER a cluster of one's own takes the node's place: docs/cluster-tests.md.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

import pytest

from mlstrata.components.upstream import lock
from tests.support import deployed, mirror
from tests.support.cluster import Json
from tests.support.node import gateway_chart
from tests.support.node.balancer import Outside
from tests.support.node.client import Client
from tests.support.node.database import Database
from tests.support.node.environment import (
    ANSWERER,
    ANSWERS,
    BATCH,
    CONSUMER,
    CONTEXT,
    HERE,
    NAME,
    OWN,
    PEOPLE,
    SECRETS,
    SPACE,
    TEXT,
    TOLD,
    train,
)
from tests.support.node.node import Node, unbuilt
from tests.support.node.own import Own
from tests.support.node.possible import NO_NODE, lacking
from tests.support.node.runtime import give
from tests.support.node.standins import StandIns
from tests.support.node.workstation import Workstation
from tests.support.order import run_last

LAST = "test_restart.py"
NOT_RUN: list[str] = []
"""Why no node was started."""
Made = TypeVar("Made")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that end the node's own programs behind all others of this folder."""
    run_last(items, HERE, LAST)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was measured, or that nothing was."""
    if NOT_RUN:
        terminalreporter.section("NO NODE WAS STARTED", red=True)
        terminalreporter.write_line(f"nothing of tests/node ran: {NOT_RUN[0]}")
    if TOLD:
        terminalreporter.write_line("node: " + ", ".join(TOLD))


def timed(what: str, do: Callable[[], Made]) -> Made:
    """Do something, and note how long it took."""
    begun = time.monotonic()
    made = do()
    TOLD.append(f"{what} {time.monotonic() - begun:.0f} s")
    return made


@pytest.fixture(scope="package")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node | Own]:
    """Give the cluster."""
    if not OWN and (why := lacking() or unbuilt()):
        NOT_RUN.append(why)
        pytest.skip(f"{NO_NODE}: {why}")
    made = Own(tmp_path_factory.mktemp("own"), CONTEXT, PEOPLE) if OWN else Node(people=PEOPLE)
    try:
        timed("node", made.start)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="package")
def machine(node: Node | Own) -> Node:
    """Give the node where it is the tests' own, whose programs and disks a test may take away."""
    if isinstance(node, Own):
        pytest.skip("it takes programs or disks of a node away, which are not taken from a cluster of one's own")
    return node


@pytest.fixture(scope="package")
def database(machine: Node) -> Database:
    return Database(machine)


@pytest.fixture(scope="package")
def workstation(
    request: pytest.FixtureRequest, node: Node | Own, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workstation]:
    """Deploy the environment by `mlstrata up`, as docs/kubernetes.md says for the first time."""
    folder = tmp_path_factory.mktemp("workstation")
    if isinstance(node, Own):
        # The Kubernetes provider comes from Pulumi, as for everybody.
        person = Workstation(node, folder, {NAME: TEXT}, PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION="false")
        exempt(person)
        person.do("images", NAME, "--resolve")
        made = {of: {key: secrets.token_hex(16) for key in values} for of, values in SECRETS.items()}
        shared = {name: values for (space, name), values in made.items() if space == SPACE}
        yield from deployment(person, {(space, name): shared[name] for space, name in made})
        return
    request.getfixturevalue("database")
    definitions = deployed.used(deployed.known(node))
    charts = {gateway_chart.NAME: gateway_chart.files()}
    digests = timed("images", lambda: give(node))
    with mirror.serving(tmp_path_factory.mktemp("mirror"), definitions, charts) as site:
        node.mirror(site.host, digests)
        person = Workstation(node, folder, {NAME: TEXT + site.spec}, SSL_CERT_FILE=str(site.authority))
        exempt(person)
        lock.write(person.folder / "environments" / lock.NAME, digests)
        there = StandIns(node)
        yield from deployment(person, SECRETS)
        there.end()


def exempt(person: Workstation) -> None:
    """Say what a site says whose disks are encrypted below the cluster."""
    text = (HERE / "exemptions.yaml").read_text(encoding="utf-8").replace("dev", NAME)
    (person.folder / "policies/exemptions.yaml").write_text(text, encoding="utf-8")


def deployment(person: Workstation, brought: Mapping[tuple[str, str], Mapping[str, str]]) -> Iterator[Workstation]:
    """Bring what a person does, then the environment; a cluster of one's own is left without it again."""
    person.bring(brought)
    person.node.must(person.objects("token", NAME, "--keys"))
    timed("mlstrata up", lambda: person.do("up", NAME, "--yes"))
    yield person
    if isinstance(person.node, Own):
        person.do("down", NAME, "--yes")


@pytest.fixture(scope="package")
def trained(node: Node | Own, workstation: Workstation) -> Json:
    """Train both systems once by their CronJobs' own pods; return what each says of its version."""
    return {one: timed(f"training {one}", partial(train, node, one, f"{one}-first")) for one in (BATCH, ANSWERS)}


@pytest.fixture(scope="package")
def outside(node: Node | Own, workstation: Workstation) -> str:
    """Return where a client outside reaches the gateway."""
    if isinstance(node, Node):
        return Outside(node).address

    def addresses() -> list[Json]:
        found: list[Json] = node.get("gateway", "gateway", SPACE).get("status", {}).get("addresses", [])
        return found

    node.eventually("the gateway's address", addresses)
    return f"{addresses()[0]['value']}:443"


@pytest.fixture(scope="package")
def client(node: Node | Own, workstation: Workstation, trained: Json, outside: str) -> Client:
    """Release the system that answers; return a client outside with its token, which got a first answer."""
    why = ("--reason", "the first one", "--yes", "--json")
    release = ("release", NAME, ANSWERS, "--version", "1", *why)
    released = timed("release", lambda: workstation.do(*release, user=ANSWERER))
    assert released.json["version"] == "1"
    made = Client(node, outside, SPACE, ANSWERS, workstation.do("token", NAME, CONSUMER).out.strip())
    timed("first answer", lambda: node.eventually("an answer", lambda: made.ask().status == "200"))
    return made
