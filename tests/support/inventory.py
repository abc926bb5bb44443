"""All that a cluster holds: what was there before something was installed, and what is left of it afterwards."""

from __future__ import annotations

import json

from tests.support.cluster import Cluster, Json
from tests.support.rendered import Key, key

# What an API server and its controllers make and remove by themselves.
OWN = {
    *("events", "events.events.k8s.io", "leases.coordination.k8s.io", "endpoints", "endpointslices.discovery.k8s.io"),
    "apiservices.apiregistration.k8s.io",
}
GIVEN = {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}
"""What every namespace is given."""


def inventory(cluster: Cluster) -> set[Key]:
    """Return every object in the cluster, of every kind that can be listed; what another one owns goes with that."""
    return set(identified(cluster))


def identified(cluster: Cluster) -> dict[Key, str]:
    """Return the same with what the server calls each: one that was replaced has another name there."""
    kinds = cluster.kubectl("api-resources", "--verbs=list", "-o", "name")
    assert kinds.code == 0, kinds.err
    wanted = ",".join(sorted(set(kinds.out.split()) - OWN))
    answer = cluster.kubectl("get", wanted, "-A", "-o", "json", "--ignore-not-found")
    assert answer.code == 0, answer.err[-2000:]
    found = json.loads(answer.out)["items"] if answer.out.strip() else []
    return {
        key(one): one["metadata"].get("uid", "")  # the state of a component of the control plane has none
        for one in found
        if not one["metadata"].get("ownerReferences")
        and not (one["metadata"].get("namespace") and (one["kind"], one["metadata"]["name"]) in GIVEN)
    }


def stays(one: Json) -> bool:
    """Return whether an object is marked as what outlives its environment."""
    return one["metadata"].get("annotations", {}).get("kustomize.toolkit.fluxcd.io/prune") == "disabled"


def claimed(kept: set[Key], left: set[Key]) -> set[Key]:
    """Return the volumes that controllers made for what stays: they are its data."""
    sets = [(space, name) for _, kind, space, name in kept if kind == "StatefulSet"]
    return {
        one
        for one in left
        if one[1] == "PersistentVolumeClaim" and any(one[2] == space and f"-{name}-" in one[3] for space, name in sets)
    }


def taken_down(cluster: Cluster, objects: list[Json], seconds: float = 120) -> None:
    """Delete what was applied, the namespaces last, as the Pulumi CLI does; leave what stays."""
    gone = [one for one in objects if not stays(one)]
    for namespaces in (False, True):
        batch = [one for one in gone if (one["kind"] == "Namespace") is namespaces]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": batch})
        answer = cluster.kubectl("delete", "--wait=false", "--ignore-not-found", "-f", "-", stdin=text)
        assert answer.code == 0, answer.err[-2000:]
        cluster.eventually("the end of what was applied", lambda text=text: _gone(cluster, text), seconds)


def _gone(cluster: Cluster, text: str) -> bool:
    left = cluster.kubectl("get", "-f", "-", "--ignore-not-found", "-o", "name", stdin=text)
    return left.code == 0 and not left.out.strip()
