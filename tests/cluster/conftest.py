"""One control plane for all tests of a cluster, with the definitions of the operators' kinds; one registry."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster, Json
from tests.support.definitions import started
from tests.support.order import run_last
from tests.support.registered import Beside, beside
from tests.support.rendered import climbed

HERE, LAST = Path(__file__).parent, "test_uninstall.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that take everything down behind all others of this folder."""
    run_last(items, HERE, LAST)


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from started(tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="package")
def stages(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Json]]:
    """Apply `dev` at every stage, each over the one before, and leave it at the last."""
    return climbed(cluster, "dev", tmp_path_factory.mktemp("dev"))


@pytest.fixture(scope="package")
def with_registry(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """Give `dev` in namespaces of its own, with a registry that answers and has versions."""
    yield from beside(cluster, tmp_path_factory.mktemp("beside"))
