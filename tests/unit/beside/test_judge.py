"""A plan against what a cluster has: each message leads to a file that fits."""

from dataclasses import replace
from typing import Any

import pytest

from mlstrata.components.upstream.selection import select
from mlstrata.environments import EnvironmentSpec
from mlstrata.operations.beside.judge import LABEL, Plan, problems
from mlstrata.operations.beside.there import Running, There

CERT_MANAGER = "quay.io/jetstack/cert-manager-controller"
KINDS = frozenset({("cert-manager.io", "v1", "Issuer"), ("", "v1", "Namespace")})


def plan(*upstream: dict[str, Any], namespaces: tuple[str, ...] = ("mlstrata",)) -> Plan:
    given = {"name": "dev", "target": {"kind": "kubernetes", "context": "c"}, "stage": "prerequisites"}
    spec = EnvironmentSpec.model_validate({**given, "upstream": upstream or [{"name": "cert-manager"}]})
    return Plan("dev", select(spec, frozenset()), namespaces, KINDS)


def space(name: str, labels: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels or {}, **metadata}}


def definition(plural: str, version: str = "v1", manager: str = "helm") -> dict[str, Any]:
    name, _, group = plural.partition(".")
    return {
        "metadata": {
            "name": plural,
            "managedFields": [{"manager": manager}, {"manager": "x", "subresource": "status"}],
        },
        "spec": {
            "group": group,
            "names": {"kind": name.removesuffix("s").capitalize()},
            "versions": [{"name": version, "served": True}],
        },
    }


def there(*running: Running, **known: Any) -> There:
    return There(running=running, **known)


EXISTING = {"name": "cert-manager", "lifecycle": "existing"}
SERVED = {"issuers.cert-manager.io": definition("issuers.cert-manager.io")}


def test_an_empty_cluster_fits():
    assert list(problems(plan(), There())) == []


@pytest.mark.parametrize(
    ("one", "fix"),
    [
        (Running("cert-manager", f"{CERT_MANAGER}:v1.19.0"), "[{name: cert-manager, lifecycle: existing}]"),
        (
            Running("certs", "r.example/quay.io/jetstack/cert-manager-controller:v1.19.0@sha256:ab"),
            "[{name: cert-manager, lifecycle: existing, namespace: certs}]",
        ),
        (Running("certs", "r.example/cert-manager-controller:v1.4.0"), "upgrade it there, then write {name: cert-"),
    ],
)
def test_an_operator_of_others_is_named_with_what_to_write(one: Running, fix: str):
    (problem,) = problems(plan(), there(one))
    assert problem.startswith(f"upstream: the cluster has cert-manager already ({one.version} in {one.namespace})")
    assert fix in problem


def test_an_operator_of_ours_is_no_others():
    ours = {"cert-manager": space("cert-manager", {LABEL: "dev"})}
    assert list(problems(plan(), there(Running("cert-manager", f"{CERT_MANAGER}:v1"), namespaces=ours))) == []


@pytest.mark.parametrize(
    ("running", "definitions", "starts"),
    [
        ([], SERVED, "upstream: cert-manager is 'existing', and nothing in the cluster runs it"),
        (
            [Running("certs", f"{CERT_MANAGER}:v1.19.0")],
            SERVED,
            "upstream: cert-manager is 'existing' in the namespace cert-manager, and runs in certs; write {name: cert-",
        ),
        (
            [Running("cert-manager", f"{CERT_MANAGER}:v1.4.0")],
            SERVED,
            "upstream: cert-manager runs at v1.4.0 in cert-manager; >=1.12,<2 fits",
        ),
        (
            [Running("cert-manager", f"{CERT_MANAGER}:v1.19.0")],
            {"issuers.cert-manager.io": definition("issuers.cert-manager.io", "v1beta1")},
            "upstream: cert-manager's definitions are 'existing'; the environment has Issuer of cert-manager.io/v1, "
            "and the cluster serves it as v1beta1 only",
        ),
        (
            [Running("cert-manager", f"{CERT_MANAGER}:v1.19.0")],
            {},
            "upstream: cert-manager's definitions are 'existing'; the environment has Issuer of cert-manager.io/v1, "
            "and the cluster has none",
        ),
    ],
)
def test_what_is_said_to_exist_must(running: list[Running], definitions: dict[str, Any], starts: str):
    (problem,) = problems(plan(EXISTING), there(*running, definitions=definitions))
    assert problem.startswith(starts)


def test_what_exists_and_fits_is_fine():
    running = Running("cert-manager", f"{CERT_MANAGER}:v1.19.0")
    assert list(problems(plan(EXISTING), there(running, definitions=SERVED))) == []


@pytest.mark.parametrize(
    ("manager", "fine"), [("helm", False), ("kubectl-create", False), ("pulumi-kubernetes-12ab", True)]
)
def test_definitions_that_others_installed_are_named(manager: str, fine: bool):
    known = {"issuers.cert-manager.io": definition("issuers.cert-manager.io", manager=manager)}
    found = list(problems(plan(), there(definitions=known)))
    assert found == [] if fine else "write upstream: [{name: cert-manager, definitions: existing}]" in found[0]


@pytest.mark.parametrize(
    ("found", "lived_in", "owner"),
    [
        (space("mlstrata"), {}, ""),
        (space("mlstrata", {LABEL: "dev"}), {"mlstrata": "Deployment mlflow"}, ""),
        (space("mlstrata", {LABEL: "prod"}), {}, "belongs to the environment 'prod'"),
        (space("mlstrata"), {"mlstrata": "Deployment web"}, "has Deployment web in it"),
        (
            space("mlstrata", {"app.kubernetes.io/managed-by": "terraform"}),
            {},
            "is managed by others (app.kubernetes.io/managed-by: terraform)",
        ),
        (
            space("mlstrata", annotations={"argocd.argoproj.io/tracking-id": "web"}),
            {},
            "is managed by others (argocd.argoproj.io/tracking-id: web)",
        ),
    ],
)
def test_a_namespace_of_others_is_never_taken_over(found: dict[str, Any], lived_in: dict[str, str], owner: str):
    told = list(problems(plan(), there(namespaces={"mlstrata": found}, lived_in=lived_in)))
    if not owner:
        assert told == []
        return
    (problem,) = told
    assert problem.startswith(f"namespace mlstrata: it is there already and {owner}; it would be labelled and closed")
    assert "kubectl label namespace mlstrata mlstrata.io/environment=dev" in problem


def test_a_namespace_of_an_operator_is_left_to_whoever_has_it():
    given = plan(namespaces=("cert-manager", "mlstrata"))
    (problem,) = problems(given, there(namespaces={"cert-manager": space("cert-manager", {LABEL: "prod"})}))
    assert "If cert-manager is there, write upstream: [{name: cert-manager, lifecycle: existing}], or, if" in problem


def test_a_policy_on_signatures_is_there_where_the_file_relies_on_it():
    relying = replace(plan(), signature_policy="signed")
    assert list(problems(relying, there(admitting=frozenset({"signed"})))) == []
    (problem,) = problems(relying, there(admitting=frozenset({"other"})))
    assert problem.startswith("images.signature_policy: got 'signed', and the cluster has no policy of that name")
    assert problem.endswith("; it has other")


def test_the_gateway_apis_version_is_in_its_definitions():
    pin = {"name": "gateway-api", "lifecycle": "existing"}
    name = "httproutes.gateway.networking.k8s.io"
    old = definition(name)
    old["metadata"]["annotations"] = {"gateway.networking.k8s.io/bundle-version": "v1.0.0"}
    (problem,) = problems(plan(pin), there(definitions={name: old}))
    assert problem.startswith("upstream: gateway-api is 'existing' and there at v1.0.0; >=1.4,<2 fits")
