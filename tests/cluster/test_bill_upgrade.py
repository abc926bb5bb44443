"""Other versions of the bill of materials are other fields of the same objects: an upgrade replaces and loses none."""

from pathlib import Path

from tests.support.cluster import Cluster, Json
from tests.support.rendered import STAGES, identities, key, rendered

OLDER = "\nupstream: [{name: loki, version: 3.7.5}, {name: alloy, version: v1.19.1}]\n"


def test_an_upgrade_of_the_bill_replaces_nothing(cluster: Cluster, stages: dict[str, list[Json]], tmp_path: Path):
    newest = stages[STAGES[-1]]
    older = rendered("dev", STAGES[-1], tmp_path, lambda text: text + OLDER)
    texts = {key(one): one for one in newest}
    changed = {one["kind"] for one in older if texts[key(one)] != one}
    assert changed == {"StatefulSet", "Deployment", "ValidatingAdmissionPolicy"}, "images, and which may run"
    before = identities(cluster, older)
    assert identities(cluster, newest) == before
