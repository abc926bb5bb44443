"""Network policies: nothing may talk to anything, and then each way that is needed, by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlstrata.components.cluster import Dns
from mlstrata.components.manifests import manifest

Peer = Mapping[str, Any]
Labels = Mapping[str, str]

ANYWHERE: Peer = {"ipBlock": {"cidr": "0.0.0.0/0"}}
"""Addresses outside of the cluster are not known to it: an object store, an API server, a caller."""


def default_deny(namespace: str) -> dict[str, Any]:
    """Return the policy that closes a namespace both ways."""
    return _policy("default-deny", namespace, {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})


def names(
    namespace: str, name: str = "allow-names", *, of: Labels | None = None, dns: Dns | None = None
) -> dict[str, Any]:
    """Return the policy that lets pods of a namespace ask the cluster's DNS: all of them, or those with some labels."""
    asked = dns or Dns()
    peers = [pods(namespace=asked.namespace, labels=asked.labels)]
    egress = [{"to": peers, "ports": _names_on(asked.port)}]
    if asked.cache:
        egress.append({"to": [{"ipBlock": {"cidr": asked.cache}}], "ports": _names_on(Dns().port)})
    selector = {"matchLabels": dict(of)} if of else {}
    return _policy(name, namespace, {"podSelector": selector, "policyTypes": ["Egress"], "egress": egress})


def _names_on(port: int) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": protocol} for protocol in ("UDP", "TCP")]


def within(namespace: str) -> dict[str, Any]:
    """Return the policy that lets the pods of a namespace reach each other: an operator and what it runs."""
    beside: list[Peer] = [{"podSelector": {}}]
    spec = {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": beside}],
        "egress": [{"to": beside}],
    }
    return _policy("allow-within", namespace, spec)


def incoming(name: str, namespace: str, *, to: Labels, ports: Sequence[int], peers: Sequence[Peer]) -> dict[str, Any]:
    """Return the policy that lets `peers` reach pods on some TCP ports.

    Args:
        name: What is allowed.
        namespace: Of the pods.
        to: Labels of the pods; empty: all of the namespace.
        ports: Ports of the pods, not of a service before them.
        peers: Who may.
    """
    rule = {"from": list(peers), "ports": _tcp(ports)}
    selector = {"matchLabels": dict(to)} if to else {}
    return _policy(name, namespace, {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": [rule]})


def outgoing(name: str, namespace: str, *, of: Labels, ports: Sequence[int], peers: Sequence[Peer]) -> dict[str, Any]:
    """Return the policy that lets pods reach `peers` on some TCP ports; arguments as of `incoming`."""
    rule = {"to": list(peers), "ports": _tcp(ports)}
    selector = {"matchLabels": dict(of)} if of else {}
    return _policy(name, namespace, {"podSelector": selector, "policyTypes": ["Egress"], "egress": [rule]})


def pods(*, namespace: str = "", labels: Labels | None = None, environment: str = "") -> Peer:
    """Return pods as peers.

    Args:
        namespace: Those of one namespace.
        labels: Those with these labels.
        environment: Those in any namespace of an environment.
    """
    found: dict[str, Any] = {}
    if namespace:
        found["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    if environment:
        found["namespaceSelector"] = {"matchLabels": {"mlstrata.io/environment": environment}}
    if labels:
        found["podSelector"] = {"matchLabels": dict(labels)}
    return found


def _tcp(ports: Sequence[int]) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def _policy(name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    return manifest("networking.k8s.io/v1", "NetworkPolicy", name, namespace, spec=spec)
