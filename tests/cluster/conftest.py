"""One control plane for all tests of a cluster, with the definitions of the operators' kinds."""

from collections.abc import Iterator

import pytest

from tests.support.cluster import Cluster
from tests.support.definitions import OURS, USED, definitions


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start()
        folders = [path for name, path in made.programs.items() if name.startswith("definitions/")]
        there = dict(one for folder in [*folders, OURS] for one in definitions(folder))
        assert set(there) >= USED, sorted(USED - set(there))
        text = "\n---\n".join(there[name] for name in sorted(USED))
        done = made.kubectl("create", "-f", "-", stdin=text, seconds=120)
        assert done.code == 0, done.err
        done = made.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all", seconds=90)
        assert done.code == 0, done.err
        yield made
    finally:
        made.stop()
