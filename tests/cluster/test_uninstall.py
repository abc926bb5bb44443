"""What was applied goes again, after operators and tests have worked on it, and what holds data stays; it runs last."""

from tests.support.cluster import Cluster, Json
from tests.support.inventory import inventory, stays, taken_down
from tests.support.rendered import STAGES, key

CRD = "CustomResourceDefinition"


def test_dev_goes_and_its_data_stays(cluster: Cluster, stages: dict[str, list[Json]]):
    objects = stages[STAGES[-1]]
    definitions = {one for one in inventory(cluster) if one[1] == CRD}
    taken_down(cluster, objects)
    left = inventory(cluster)
    kept = {key(one) for one in objects if stays(one)}
    assert {kind for _, kind, _, _ in kept} >= {"Namespace", "NetworkPolicy", "Cluster", "Prometheus"}
    assert left & {key(one) for one in objects} == kept
    gone = {one["metadata"]["name"] for one in objects if one["kind"] == "Namespace" and not stays(one)}
    assert not [one for one in left if one[2] in gone]
    # Other environments on the cluster have objects of these kinds.
    assert {one for one in left if one[1] == CRD} == definitions
