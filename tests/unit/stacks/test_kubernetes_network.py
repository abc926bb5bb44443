"""Closed namespaces: whatever is let in on one side is let out on the other, or nothing arrives."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pulumi

from mlstrata.environments import EnvironmentSpec, Workspace, load
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record

ROOT = Path(__file__).parents[3]
DEV = ROOT / "environments/dev.yaml"
DNS = {"kubernetes.io/metadata.name": "kube-system"}
BESIDE = {"mlstrata.io/uses-registry", "mlstrata.io/records"}
"""What pods of any other label may wear beside it."""
Labels = dict[str, str]


class Way(NamedTuple):
    """One rule: from the pods of a policy, or to them, on one range of ports, to one peer or from it."""

    policy: str
    namespace: str
    pods: Labels
    ports: tuple[int, int]
    spaces: tuple[str, ...]
    peers: Labels


@cache
def everything() -> Graph:
    """An environment with all that is built for clusters, and nothing of the organisation's own."""
    values = load(DEV).model_dump(mode="json", by_alias=True)
    approval = values["systems"][0]
    ray = {**approval, "name": "mortgage-rays", "model": {**approval["model"], "settings": {"workers": 4}}}
    shared = {**approval, "name": "mortgage-shared", "model": {"modality": "tabular", "features": "mortgage_v2"}}
    changes = {
        "capabilities": {
            "on": ["backup", "secrets", "feature_store", "distributed_training", "recording", "monitoring"]
        },
        "storage": {"kind": "s3"},
        "systems": [*values["systems"], ray, shared],
    }
    spec = EnvironmentSpec.model_validate({**values, **changes})

    def program() -> None:
        for name, value in plan(spec, Workspace(ROOT)).items():
            pulumi.export(name, value)

    return record(program, stack="dev")


def labels(selector: dict | None) -> Labels:
    return dict((selector or {}).get("matchLabels", {}))


def ways(way: str) -> Iterator[Way]:
    """Yield the rules that let pods in (`ingress`) or out (`egress`) by the labels of the other side's pods."""
    graph, side = everything(), "from" if way == "ingress" else "to"
    spaces = {
        one.inputs["metadata"]["name"]: {
            **one.inputs["metadata"]["labels"],
            "kubernetes.io/metadata.name": one.inputs["metadata"]["name"],
        }
        for one in graph.all("Namespace")
    }
    for policy in graph.all("NetworkPolicy"):
        metadata, spec = policy.inputs["metadata"], policy.inputs["spec"]
        for rule in spec.get(way, []):
            ports = [(int(one["port"]), int(one.get("endPort", one["port"]))) for one in rule.get("ports", [])]
            for peer in rule[side]:
                if "ipBlock" in peer or labels(peer.get("namespaceSelector")) == DNS:
                    continue
                wanted = labels(peer.get("namespaceSelector"))
                found = [name for name, has in spaces.items() if wanted.items() <= has.items()]
                within = tuple(found) if "namespaceSelector" in peer else (metadata["namespace"],)
                for one in ports or [(1, 65535)]:
                    pods, peers = labels(spec["podSelector"]), labels(peer.get("podSelector"))
                    yield Way(metadata["name"], metadata["namespace"], pods, one, within, peers)


def of_one_pod(some: Labels, others: Labels) -> bool:
    """Say whether a pod of the one selector may be one of the other."""
    if any(others.get(key, value) != value for key, value in some.items()):
        return False
    if not some or not others or some.keys() & others.keys():
        return True
    return bool(BESIDE & (some.keys() | others.keys()))


def unmatched(these: list[Way], those: list[Way]) -> list[str]:
    """Return the ways of one side that no way of the other side meets."""

    def meets(one: Way, other: Way) -> bool:
        return (
            other.namespace in one.spaces
            and one.namespace in other.spaces
            and of_one_pod(one.peers, other.pods)
            and of_one_pod(other.peers, one.pods)
            and other.ports[0] <= one.ports[1]
            and one.ports[0] <= other.ports[1]
        )

    return sorted(
        {
            f"{one.namespace}/{one.policy}: port {one.ports[0]}, {one.peers or 'all pods'} of {one.spaces}"
            for one in these
            if not any(meets(one, other) for other in those)
        }
    )


def test_what_is_let_in_is_let_out_where_it_comes_from():
    assert unmatched(list(ways("ingress")), list(ways("egress"))) == []


def test_what_is_let_out_is_let_in_where_it_goes():
    assert unmatched(list(ways("egress")), list(ways("ingress"))) == []


def test_a_way_that_only_one_side_knows_is_found():
    there = Way("in", "a", {"app": "x"}, (80, 80), ("b",), {"app": "y"})
    back = Way("out", "b", {"app": "y"}, (80, 80), ("a",), {"app": "x"})
    assert unmatched([there], [back]) == []
    for wrong in (
        back._replace(ports=(81, 81)),
        back._replace(namespace="c"),
        back._replace(pods={"app": "z"}),
        back._replace(peers={"other": "x"}),
    ):
        assert len(unmatched([there], [wrong])) == 1, wrong
