"""Which cluster and which namespaces are looked at: those of the plan, with the plan's own credentials."""

import json

from mlstrata.clients.kubernetes import EVERYWHERE, Forbidden, Missing
from mlstrata.operations.pending.look import CLAIMS, EVENTS, NODES, PODS, Look, look_of
from pulumi_embedded import UNKNOWN, GraphResource


def resource(kind: str, **inputs: object) -> GraphResource:
    return GraphResource(
        urn="urn",
        type=kind,
        name="name",
        parent="",
        custom=True,
        remote=False,
        inputs=inputs,
        provider="",
        options={},
        dependencies=(),
        property_dependencies={},
    )


PROVIDER = "pulumi:providers:kubernetes"


def test_the_namespaces_are_those_that_the_plan_has_something_in():
    planned = [
        resource(PROVIDER, context="ml-dev"),
        resource("kubernetes:core/v1:Namespace", metadata={"name": "ml"}),
        resource("kubernetes:apps/v1:Deployment", metadata={"name": "a", "namespace": "lending"}),
        resource("kubernetes:helm.sh/v3:Release", namespace="cert-manager"),
        resource("kubernetes:apps/v1:Deployment", metadata={"name": "b", "namespace": UNKNOWN}),
        resource("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", metadata={"name": "everywhere"}),
        resource("mlstrata:governance:AISystem", namespace="none of a cluster"),
    ]
    look = look_of(planned)
    assert look.namespaces == ("cert-manager", "lending", "ml")
    assert (look.cluster.context, look.cluster.kubeconfig, look.cluster.patience_s) == ("ml-dev", "", 0.0)


def test_a_substrate_has_a_kubeconfig_of_its_own_which_is_not_shown():
    kubeconfig = json.dumps({"current-context": "eks", "users": [{"name": "secret"}]})
    assert look_of([resource(PROVIDER, kubeconfig="of a file that stands in")]) is None
    cluster = look_of([resource(PROVIDER, kubeconfig="of a file that stands in")], kubeconfig).cluster
    assert (cluster.context, cluster.kubeconfig) == ("eks", kubeconfig)
    assert "secret" not in repr(cluster)


def test_without_a_cluster_nothing_is_looked_at():
    assert look_of([resource("acme:index:Part")]) is None


class Asked:
    """A cluster that answers from what the test has, and notes what it was asked."""

    def __init__(self, refuses=(), **has):
        self.has, self.refuses, self.asked = has, refuses, []

    def list(self, kind, namespace=EVERYWHERE, fields=None):
        self.asked.append((kind.plural, namespace))
        if kind.plural in self.refuses:
            raise Forbidden("no")
        return tuple(self.has.get(kind.plural, ()))

    def get(self, kind, name, namespace):
        self.asked.append((kind.plural, name))
        if name not in self.has:
            raise Missing("none")
        return self.has[name]


def unplaced(message):
    condition = {"type": "PodScheduled", "status": "False", "message": message}
    spec = {"containers": [{"name": "main", "resources": {"requests": {"cpu": "64"}}}]}
    metadata = {"name": "mlflow", "namespace": "ml"}
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Pending", "conditions": [condition]}}


def test_where_nothing_waits_neither_nodes_nor_classes_nor_others_pods_are_asked_for():
    asked = Asked()
    assert Look(asked, ("ml", "lending"))() == ()
    assert {kind for kind, _ in asked.asked} == {PODS.plural, CLAIMS.plural, EVENTS.plural}
    assert {space for _, space in asked.asked} == {"ml", "lending"}


def test_who_may_not_list_nodes_has_the_schedulers_own_words():
    asked = Asked(refuses={NODES.plural}, pods=[unplaced("0/3 nodes are available: 3 Insufficient cpu.")])
    (wait,) = Look(asked, ("ml",))()
    assert wait.reason == "no node fits: 0/3 nodes are available: 3 Insufficient cpu"


def test_a_refusal_counts_while_its_controller_lacks_pods():
    about = {"kind": "ReplicaSet", "name": "mlflow-6d4f9abc", "namespace": "ml"}
    event = {"metadata": {"name": "e"}, "reason": "FailedCreate", "message": "no", "involvedObject": about}
    lacking = {"spec": {"replicas": 1}, "status": {"replicas": 0}}
    made = {"spec": {"replicas": 1}, "status": {"replicas": 1}}
    (wait,) = Look(Asked(events=[event], **{about["name"]: lacking}), ("ml",))()
    assert (wait.kind, wait.name) == ("deployment", "mlflow")
    assert Look(Asked(events=[event], **{about["name"]: made}), ("ml",))() == ()
    assert Look(Asked(events=[event]), ("ml",))() == (), "its controller is gone"
