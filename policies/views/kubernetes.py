"""Where pods, containers and images are in Kubernetes resources of every kind, and which Services are open."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.values import Unknown, UnknownValueError, Value, dig, listed

SELDON = "kubernetes:machinelearning.seldon.io/"
KSERVE = "kubernetes:serving.kserve.io/"
LONG_RUNNING = (
    "kubernetes:apps/v1:Deployment",
    "kubernetes:apps/v1:StatefulSet",
    "kubernetes:apps/v1:DaemonSet",
    "kubernetes:apps/v1:ReplicaSet",
    "kubernetes:core/v1:ReplicationController",
)
JOBS = ("kubernetes:batch/v1:Job", "kubernetes:batch/v1:CronJob")
EMBEDDING = (
    KSERVE,
    "kubernetes:argoproj.io/",
    "kubernetes:batch.volcano.sh/",
    "kubernetes:jobset.x-k8s.io/",
    "kubernetes:keda.sh/",
    "kubernetes:kubeflow.org/",
    "kubernetes:leaderworkerset.x-k8s.io/",
    "kubernetes:ray.io/",
    "kubernetes:serving.knative.dev/",
    "kubernetes:sparkoperator.k8s.io/",
    "kubernetes:tekton.dev/",
    "kubernetes:trainer.kubeflow.org/",
)
"""Groups of other makers' kinds that hold pods somewhere inside."""
WORKLOADS = (*LONG_RUNNING, *JOBS, "kubernetes:core/v1:Pod", SELDON, *EMBEDDING)
SERVICE = "kubernetes:core/v1:Service"
OUTSIDE = {"LoadBalancer", "NodePort"}
"""Types of a Service that can be reached from outside the cluster."""
GPU = "nvidia.com/gpu"
ACCELERATORS = re.compile(
    r"^(nvidia\.com/(gpu|mig-)|amd\.com/gpu|gpu\.intel\.com/|habana\.ai/gaudi|aws\.amazon\.com/neuron|google\.com/tpu)"
)
"""Names of resources that are accelerators, slices of one too."""
_POD_OF = {
    "Pod": "spec",
    "PodTemplate": "template.spec",
    "CronJob": "spec.jobTemplate.spec.template.spec",
}
_LISTS = ("initContainers", "containers", "ephemeralContainers")
_SINGLE = ("container", "script", "model")
"""Where a workflow's step, or a served model, is a container without a list."""
_HOLDING = frozenset(
    {
        *(*_LISTS, *_SINGLE, "spec", "template", "templates", "podSpec", "predictor", "jobTemplate", "tasks", "steps"),
        *("replicatedJobs", "pytorchReplicaSpecs", "tfReplicaSpecs", "mpiReplicaSpecs", "xgbReplicaSpecs"),
        *("jaxReplicaSpecs", "paddleReplicaSpecs", "Worker", "Master", "Chief", "Launcher", "PS", "Evaluator"),
        *(
            "headGroupSpec",
            "jobTargetRef",
            "workerGroupSpecs",
            "leaderTemplate",
            "workerTemplate",
            "driver",
            "executor",
        ),
    }
)
"""Keys under which a kind has pods, somewhere."""


@dataclass(frozen=True)
class Pod:
    """A pod's specification and where it is in its resource."""

    path: str
    spec: Value

    @property
    def containers(self) -> list[Value]:
        """All of its containers, those that run first or are put in to look inside included."""
        single = [one for key in _SINGLE if isinstance(one := dig(self.spec, key), Mapping) and "image" in one]
        return [container for kind in _LISTS for container in listed(self.spec, kind)] + single


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
    if resource.type.startswith(EMBEDDING):
        yield from _inside(resource.get("spec", {}), "spec")
        return
    if resource.kind.endswith("List"):
        resource.all("items")  # those that are known are resources of their own
    path = _POD_OF.get(resource.kind.removesuffix("Patch"), "spec.template.spec")
    spec = resource.get(path)
    if spec is not None:
        yield Pod(path, spec)


def _inside(value: Value, path: str) -> Iterator[Pod]:
    """Yield the pods anywhere inside a value: whatever lists containers, or is a step that is one."""
    if isinstance(value, Mapping):
        if unseen := [key for key, inner in value.items() if key in _HOLDING and _unseen(inner)]:
            raise UnknownValueError(f"{path}.{unseen[0]}")
        pod = Pod(path, value)
        if any(isinstance(value.get(kind), list) for kind in _LISTS) or pod.containers:
            yield pod
        for key, inner in value.items():
            if key not in _LISTS:
                yield from _inside(inner, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _inside(inner, f"{path}.{at}")


def _unseen(value: Value) -> bool:
    """Return whether a value, or one that it lists, is not known yet."""
    return isinstance(value, Unknown) or (isinstance(value, list) and any(isinstance(one, Unknown) for one in value))


def containers(resource: Resource) -> Iterator[Value]:
    """Yield every container of a workload."""
    for pod in pods(resource):
        yield from pod.containers


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
