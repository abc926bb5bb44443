"""What Kubernetes resources ask for and where they are: accelerators, namespaces, copies, open Services."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.values import Unknown, UnknownValueError, Value, dig, listed

SERVICE = "kubernetes:core/v1:Service"
OUTSIDE = {"LoadBalancer", "NodePort"}
"""Types of a Service that can be reached from outside the cluster."""
GPU = "nvidia.com/gpu"
ACCELERATORS = re.compile(
    r"^(nvidia\.com/(gpu|mig-)|amd\.com/gpu|gpu\.intel\.com/|habana\.ai/gaudi|aws\.amazon\.com/neuron|google\.com/tpu)"
)
"""Names of resources that are accelerators, slices of one too."""


def accelerators(container: Value) -> dict[str, int]:
    """Return how many accelerators of which name a container asks for."""
    found: dict[str, int] = {}
    for kind in ("requests", "limits"):
        asked = dig(container, f"resources.{kind}")
        for name, count in asked.items() if isinstance(asked, Mapping) else ():
            if ACCELERATORS.match(str(name)) and count is not None:
                if isinstance(count, Unknown):
                    raise UnknownValueError(f"resources.{kind}.{name}")
                found[str(name)] = int(count)
    return found


def gpus(container: Value) -> int:
    """Return how many GPUs, or other accelerators, a container asks for."""
    return sum(accelerators(container).values())


def namespace(resource: Resource) -> str:
    """Return the namespace a resource is in."""
    return str(resource.get("metadata.namespace", "default"))


def units(graph: Value, inside: tuple[str, ...] = ()) -> Iterator[Value]:
    """Yield a Seldon inference graph's units, from the top."""
    if graph is None:
        return
    yield graph
    for child in listed(graph, "children"):
        yield from units(child, inside)


def kept(predictor: Value) -> Value:
    """Return how many copies an autoscaler keeps of a predictor at least, whatever it is made with; None without."""
    found = [
        dig(one, path)
        for one in listed(predictor, "componentSpecs")
        for path in ("hpaSpec.minReplicas", "kedaSpec.minReplicaCount")
    ]
    return next((one for one in found if one is not None), None)


def outside(service: Resource) -> bool:
    """Return whether a Service can be reached from outside its cluster; what is no Service, such as its account, never.

    Raises:
        UnknownValueError: Its type is known only after the deployment.
    """
    return service.get("spec.type") in OUTSIDE or bool(service.all("spec.externalIPs"))
