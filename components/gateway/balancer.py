"""What a cloud's load balancer before the gateway is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlstrata.environments.spec.target import LoadBalancerSpec

AWS = "service.beta.kubernetes.io/aws-load-balancer-"


def declared(given: LoadBalancerSpec) -> dict[str, Any]:
    """Return what of Envoy's service the environment's file says; empty: nothing."""
    told: dict[str, Any] = {}
    if given.type != "LoadBalancer":
        told["type"] = given.type
    if given.type == "ClusterIP":
        told["externalTrafficPolicy"] = None  # which only a service that is reached from outside may have
    if given.class_name:
        told["loadBalancerClass"] = given.class_name
    if given.annotations:
        told["annotations"] = dict(given.annotations)
    return told


def aws(subnets: Sequence[str], *, internet: bool) -> dict[str, Any]:
    """Return what of Envoy's service is AWS's: a network load balancer, which leaves TLS to Envoy.

    It has one listener, the gateway's port, and passes bytes on: nothing but Envoy ever holds the key.

    Args:
        subnets: Where it has its addresses unless it is open to the internet; AWS then finds those that are marked.
        internet: It has addresses of the internet; else of the network alone.
    """
    told = {
        "scheme": "internet-facing" if internet else "internal",
        # Straight to Envoy's pods: no port of a node is open, and no other node is passed through.
        "nlb-target-type": "ip",
        # There are fewer Envoys than zones, and a zone without one must answer too.
        "attributes": "load_balancing.cross_zone.enabled=true",
        # The port that callers use: no other is open to it.
        "healthcheck-protocol": "TCP",
        "healthcheck-port": "traffic-port",
        "healthcheck-interval": "10",
        "healthcheck-healthy-threshold": "2",
        "healthcheck-unhealthy-threshold": "2",
    }
    if not internet:
        told["subnets"] = ",".join(subnets)
    return {
        "annotations": {f"{AWS}{name}": value for name, value in told.items()},
        "loadBalancerClass": "service.k8s.aws/nlb",
        "allocateLoadBalancerNodePorts": False,
    }
