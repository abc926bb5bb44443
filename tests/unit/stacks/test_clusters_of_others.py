"""What differs between the clusters that people have: each difference is a field, and says the same everywhere."""

import json
from functools import cache
from pathlib import Path

import pytest

from mlstrata.components.cluster import without_users
from mlstrata.environments import EnvironmentSpec, Workspace, load
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record

ROOT = Path(__file__).parents[3]
OPENSHIFT = {
    "dns": {
        "namespace": "openshift-dns",
        "labels": {"dns.operator.openshift.io/daemonset-dns": "default"},
        "port": 5353,
    },
    "fixed_users": False,
}


@cache
def graph(target: str) -> Graph:
    """Record the shipped `dev` with more in its target."""
    values = load(ROOT / "environments/dev.yaml").model_dump(mode="json", by_alias=True)
    values["target"] |= json.loads(target)
    return record(lambda: plan(EnvironmentSpec.model_validate(values), Workspace(ROOT)), stack="dev")


def of(**target: object) -> Graph:
    return graph(json.dumps(target))


def asked(found: Graph) -> list[dict]:
    """Return the rules by which pods ask for names, one a namespace."""
    policies = [one for one in found.all("NetworkPolicy") if one.inputs["metadata"]["name"] == "allow-names"]
    assert len(policies) > 5
    rules = {json.dumps(one.inputs["spec"]["egress"]) for one in policies}
    assert len(rules) == 1, "every namespace asks the same"
    return json.loads(rules.pop())


def ports(rule: dict) -> set[tuple[int, str]]:
    return {(one["port"], one["protocol"]) for one in rule["ports"]}


def test_names_are_asked_where_coredns_usually_is():
    (rule,) = asked(of())
    assert rule["to"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "kube-system"}
    assert ports(rule) == {(53, "UDP"), (53, "TCP")}


def test_names_are_asked_on_openshift():
    (rule,) = asked(of(**OPENSHIFT))
    assert rule["to"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "openshift-dns"}
    assert rule["to"][0]["podSelector"]["matchLabels"] == OPENSHIFT["dns"]["labels"]
    assert ports(rule) == {(5353, "UDP"), (5353, "TCP")}


def test_names_are_asked_of_a_cache_on_the_node_too():
    _, cache_of_node = asked(of(dns={"cache": "169.254.20.10/32"}))
    assert cache_of_node["to"] == [{"ipBlock": {"cidr": "169.254.20.10/32"}}]
    assert ports(cache_of_node) == {(53, "UDP"), (53, "TCP")}


def texts(found: Graph) -> list[str]:
    return [json.dumps(one.inputs, default=str) for one in found.resources if one.type.startswith("kubernetes:")]


def test_no_pod_names_a_user_where_the_cluster_gives_them():
    assert any('"runAsUser"' in one for one in texts(of()))
    named = [one for one in texts(of(**OPENSHIFT)) if any(f'"{key}"' in one for key in ("runAsUser", "fsGroup"))]
    assert named == []
    assert any('"runAsNonRoot": true' in one for one in texts(of(**OPENSHIFT)))


def test_only_the_users_of_security_contexts_are_left_out():
    pod = {"securityContext": {"runAsUser": 1, "runAsNonRoot": True}, "env": [{"runAsUser": "kept"}]}
    assert without_users({"spec": pod}) == {
        "spec": {"securityContext": {"runAsNonRoot": True}, "env": [{"runAsUser": "kept"}]}
    }


def service(**balancer: object) -> dict:
    (proxy,) = of(load_balancer=balancer).all("EnvoyProxy")
    return proxy.inputs["spec"]["provider"]["kubernetes"]["envoyService"]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}),
        (
            {"class_name": "internal", "annotations": {"networking.gke.io/load-balancer-type": "Internal"}},
            {
                "type": "LoadBalancer",
                "externalTrafficPolicy": "Local",
                "loadBalancerClass": "internal",
                "annotations": {"networking.gke.io/load-balancer-type": "Internal"},
            },
        ),
        ({"type": "NodePort"}, {"type": "NodePort", "externalTrafficPolicy": "Local"}),
        ({"type": "ClusterIP"}, {"type": "ClusterIP"}),
    ],
)
def test_the_gateways_service(given: dict, made: dict):
    assert service(**given) == made


def test_a_class_needs_a_load_balancer():
    with pytest.raises(ValueError, match="class_name: got 'internal', and a NodePort has no load balancer"):
        of(load_balancer={"type": "NodePort", "class_name": "internal"})
