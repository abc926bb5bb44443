"""Where pods, containers and images are in Kubernetes resources of every kind that has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policies.graph import Resource
from policies.values import Value, dig, listed

SELDON = "kubernetes:machinelearning.seldon.io/"
KSERVE = "kubernetes:serving.kserve.io/"
LONG_RUNNING = ("kubernetes:apps/v1:Deployment", "kubernetes:apps/v1:StatefulSet", "kubernetes:apps/v1:DaemonSet")
JOBS = ("kubernetes:batch/v1:Job", "kubernetes:batch/v1:CronJob")
WORKLOADS = (*LONG_RUNNING, *JOBS, "kubernetes:core/v1:Pod", SELDON)
GPU = "nvidia.com/gpu"
_POD_OF = {
    "Pod": "spec",
    "CronJob": "spec.jobTemplate.spec.template.spec",
}


@dataclass(frozen=True)
class Pod:
    """A pod's specification and where it is in its resource."""

    path: str
    spec: Value

    @property
    def containers(self) -> list[Value]:
        """All of its containers, those that run first included."""
        return listed(self.spec, "initContainers") + listed(self.spec, "containers")


def pods(resource: Resource) -> Iterator[Pod]:
    """Yield the pods that a workload makes.

    Raises:
        UnknownValueError: they are known only after the deployment.
    """
    if resource.type.startswith(SELDON):
        for at, predictor in enumerate(resource.all("spec.predictors")):
            for index, component in enumerate(listed(predictor, "componentSpecs")):
                yield Pod(f"spec.predictors.{at}.componentSpecs.{index}.spec", dig(component, "spec", {}))
        return
    path = _POD_OF.get(resource.kind, "spec.template.spec")
    spec = resource.get(path)
    if spec is not None:
        yield Pod(path, spec)


def containers(resource: Resource) -> Iterator[Value]:
    """Yield every container of a workload."""
    for pod in pods(resource):
        yield from pod.containers


def gpus(container: Value) -> int:
    """Return how many GPUs a container asks for."""
    for kind in ("limits", "requests"):
        asked = dig(container, f"resources.{kind}")
        if isinstance(asked, dict) and asked.get(GPU) is not None:
            return int(asked[GPU])
    return 0


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
