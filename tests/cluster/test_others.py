"""Other environments, each on a cluster of its own: installed, moved up by stages, taken away; what stays is left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.definitions import started
from tests.support.inventory import claimed, inventory, stays, taken_down
from tests.support.rendered import STAGES, climbed, key

# What holds data in them; prod's database is its cloud's.
KEPT = {"staging": {"Cluster", "Prometheus"}, "prod": {"Prometheus"}}


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from started(tmp_path_factory.mktemp("empty"))


@pytest.mark.parametrize("environment", KEPT)
def test_it_comes_climbs_and_goes(empty: Cluster, environment: str, tmp_path: Path):
    before = inventory(empty)
    applied = climbed(empty, environment, tmp_path)
    assert set(applied) == set(STAGES)
    last = applied[STAGES[-1]]
    assert len(last) > 100
    taken_down(empty, last)
    kept = {key(one) for one in last if stays(one)}
    assert {kind for _, kind, _, _ in kept} >= {"Namespace", "NetworkPolicy", *KEPT[environment]}
    left = inventory(empty) - before
    assert left - claimed(kept, left) == kept
