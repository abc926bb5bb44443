"""`staging` on a cluster of its own: installed, moved up stage by stage, taken away; all that is left is what stays."""

from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.definitions import started
from tests.support.inventory import inventory, stays, taken_down
from tests.support.rendered import STAGES, climbed, key


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory):
    yield from started(tmp_path_factory.mktemp("staging"))


def test_staging_comes_climbs_and_goes(empty: Cluster, tmp_path: Path):
    before = inventory(empty)
    applied = climbed(empty, "staging", tmp_path)
    assert set(applied) == set(STAGES)
    last = applied[STAGES[-1]]
    assert len(last) > 100
    taken_down(empty, last)
    kept = {key(one) for one in last if stays(one)}
    assert {kind for _, kind, _, _ in kept} >= {"Namespace", "NetworkPolicy", "Cluster", "Prometheus"}
    left = inventory(empty) - before
    assert left == kept
