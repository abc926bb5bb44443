"""What a killed run left of a chart's installation is in nobody's way; what others installed is left alone."""

from mlstrata.clients.kubernetes import Missing
from mlstrata.operations.halted_releases import Halted, clear, halted

RELEASE = "kubernetes:helm.sh/v3:Release"


def begun(type_, of, kind=RELEASE, **inputs):
    return {"type": of, "resource": {"urn": f"urn:{type_}", "type": kind, "inputs": inputs}}


def test_only_releases_that_were_begun_are_found():
    operations = [
        begun("made", "creating", name="cert-manager", namespace="cert-manager"),
        begun("raised", "updating", name="grafana", namespace="monitoring"),
        begun("other", "creating", kind="kubernetes:core/v1:ConfigMap", metadata={"name": "x"}),
        begun("unnamed", "creating"),
    ]
    found = halted({"pending_operations": operations})
    assert found == (
        Halted("cert-manager", "cert-manager", unknown=True),
        Halted("grafana", "monitoring", unknown=False),
    )
    assert halted({}) == halted({"pending_operations": None}) == ()


class Records:
    """A cluster with records of releases, of which one vanishes as it is deleted."""

    def __init__(self, *names):
        self.names, self.asked, self.deleted = names, [], []

    def list(self, kind, namespace, labels):
        self.asked.append((kind.plural, namespace, labels))
        return tuple({"metadata": {"name": name}} for name in self.names)

    def delete(self, kind, name, namespace):
        self.deleted.append((kind.plural, name, namespace))
        if name == "gone":
            raise Missing("gone")


def test_of_a_release_that_no_state_has_every_record_goes():
    cluster = Records("sh.helm.release.v1.a.v1", "gone")
    assert clear(cluster, Halted("a", "space", unknown=True))
    assert cluster.asked == [("secrets", "space", {"owner": "helm", "name": "a"})]
    assert cluster.deleted == [("secrets", "sh.helm.release.v1.a.v1", "space"), ("secrets", "gone", "space")]


def test_of_one_that_was_being_upgraded_only_what_says_so_goes():
    cluster = Records()
    assert not clear(cluster, Halted("a", "space", unknown=False))
    (_, _, labels) = cluster.asked[0]
    assert labels["status"] == ("pending-install", "pending-upgrade", "pending-rollback")
    assert not cluster.deleted
