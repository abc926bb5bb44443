"""The pods that resources of every kind make: where they are, and the containers in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mlstrata.policies.core.graph import Graph, Resource
from mlstrata.policies.core.kinds import EMBEDDING, JOBS, KSERVE, LONG_RUNNING, POD, SELDON, SPARK, WORKLOADS
from mlstrata.policies.core.values import SECRET, Unknown, UnknownValueError, Value, dig, listed
from mlstrata.policies.views import served, spark, tekton

LISTS = ("initContainers", "containers", "ephemeralContainers")
_POD_OF = {
    "Pod": "spec",
    "PodTemplate": "template.spec",
    "CronJob": "spec.jobTemplate.spec.template.spec",
}
_MADE_OF: dict[str, Callable[[Value], Iterator[tuple[str, Value]]]] = {KSERVE: served.pods, SPARK: spark.pods}
"""Groups whose pods their controller puts together out of fields of its own."""
_WHOLE = frozenset((*LONG_RUNNING, *JOBS, *POD))
"""Kinds with one pod in a place of its own."""
_HOLDING = frozenset(
    {
        *("ephemeralContainers", "initContainers", "containers", "container", "script", "model", "spec"),
        *("template", "templates", "podSpec", "podTemplate", "taskRunTemplate", "taskRunSpecs"),
        *("jobTemplate", "jobTargetRef", "tasks", "steps", "sidecars", "stepTemplate", "taskSpec"),
        *("pipelineSpec", "finally", "predictor", "explainer", "transformer", "replicatedJobs"),
        *("replicaSpecs", "pytorchReplicaSpecs", "tfReplicaSpecs", "mpiReplicaSpecs", "xgbReplicaSpecs"),
        *("jaxReplicaSpecs", "paddleReplicaSpecs", "Worker", "Master", "Chief", "Launcher", "PS"),
        *("Evaluator", "headGroupSpec", "workerGroupSpecs", "leaderTemplate", "workerTemplate", "driver"),
        *("executor", "trainer", "initializer", "components", "trialTemplate", "trialSpec"),
    }
)
"""Keys under which a kind has pods, somewhere."""
_BY_NAME = frozenset(
    {
        *("InferenceService", "LLMInferenceService", "InferenceGraph", "Workflow", "CronWorkflow", "Rollout"),
        *("TaskRun", "PipelineRun", "CustomRun", "TrainJob", "SparkApplication"),
        *("ScheduledSparkApplication", "SparkConnect"),
    }
)
"""Kinds that run pods even where they only name what describes them."""


@dataclass(frozen=True)
class Pod:
    """A pod's specification and where it is in its resource.

    Attributes:
        path: Where it is.
        spec: What it is like.
        annotations: Those of the pod.
        assembled: It is put together of fields that its kind has elsewhere, so nothing can be written at its path.
    """

    path: str
    spec: Value
    annotations: Value = None
    assembled: bool = False

    @property
    def containers(self) -> list[Value]:
        """All of its containers, those that run first or are put in to look inside included."""
        found = [container for kind in LISTS for container in listed(self.spec, kind)]
        for key, value in self.spec.items():
            if isinstance(value, list | tuple):
                found += tekton.steps(self.spec, value) if key not in LISTS else ()
            elif _is_container(value) and key != tekton.TEMPLATE:
                found.append({"name": key, **value})
        return found


def pods(resource: Resource) -> Iterator[Pod]:
    """Yield the pods that a workload makes.

    Raises:
        UnknownValueError: they are known only after the deployment.
    """
    if resource.type.startswith(SELDON):
        for at, predictor in enumerate(resource.all("spec.predictors")):
            for index, component in enumerate(listed(predictor, "componentSpecs")):
                path = f"spec.predictors.{at}.componentSpecs.{index}"
                yield Pod(f"{path}.spec", dig(component, "spec", {}), dig(component, "metadata.annotations"))
        return
    if resource.type.startswith(EMBEDDING):
        whole = resource.get("spec", {})
        assembled = next((made for group, made in _MADE_OF.items() if resource.type.startswith(group)), None)
        if assembled is not None:
            _require_seen(whole, "spec")
            yield from (Pod(path, spec, assembled=True) for path, spec in assembled(whole))
        if assembled is not spark.pods:
            yield from _inside({"spec": whole, "metadata": resource.inputs.get("metadata")}, "", {})
        return
    if resource.kind.endswith("List"):
        resource.all("items")  # those that are known are resources of their own
    path = _POD_OF.get(resource.kind.removesuffix("Patch"), "spec.template.spec")
    spec = resource.get(path)
    if spec is not None:
        parent = path.rpartition(".")[0]
        yield Pod(path, spec, resource.get(f"{parent}.metadata.annotations" if parent else "metadata.annotations"))


def misshapen(resource: Resource, found: list[Pod]) -> Iterator[str]:
    """Yield what is odd about the pods of one of Kubernetes' own kinds, which need a container that can run.

    A patch or a list may leave out what it does not change, and a rollout may name a workload that has the pod.

    Args:
        resource: The workload.
        found: Its pods.

    Raises:
        UnknownValueError: they are known only after the deployment.
    """
    if resource.type not in _WHOLE:
        return
    if not found and not resource.get("spec.workloadRef"):
        yield "has no pod"
    for pod in found:
        if not isinstance(pod.spec, Mapping) or not dig(pod.spec, "containers"):
            yield "has no list of containers"
            continue
        for kind in LISTS:
            given = dig(pod.spec, kind, [])
            if not isinstance(given, list | tuple):
                yield f"has no list of containers at {kind}"
            elif not all(isinstance(one, Unknown) or _may_run(one, resource) for one in given):
                yield f"has a container at {kind} that is none, or has no image"
        if not isinstance(dig(pod.spec, "securityContext", {}), Mapping):
            yield "has a security context that is none"


def _inside(value: Value, path: str, context: Value, annotations: Value = None) -> Iterator[Pod]:
    """Yield the pods anywhere inside a value: whatever has containers, or what a pod gets of its node.

    Args:
        value: What is looked into.
        path: Where it is.
        context: The security context that is given further up, for all pods beneath.
        annotations: Those that stand beside the value.
    """
    if isinstance(value, Mapping):
        _require_seen(value, path)
        own = [_at(value, at) for at in ("securityContext", *tekton.CONTEXTS)]
        context = next((one for one in own if one is not None), context)
        pod = Pod(path, {**value, "securityContext": context}, annotations)
        if any(isinstance(value.get(kind), list) for kind in LISTS) or pod.containers or _takes_of_its_node(value):
            yield pod
        beside = _at(value, "metadata.annotations")
        for key, inner in value.items():
            if key not in LISTS and key != "metadata":
                yield from _inside(inner, f"{path}.{key}" if path else key, context, beside)
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _inside(inner, f"{path}.{at}", context)


def _at(value: Value, path: str) -> Value:
    """Return what is at a path as it is, known or not; None where there is nothing."""
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return value if isinstance(value, Unknown) else None
        value = value.get(key)
    return value


def _takes_of_its_node(value: Mapping[str, Value]) -> bool:
    """Return whether pods share their node's namespaces or files by this, wherever their containers are."""
    volumes = value.get("volumes")
    shared = [value.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")]
    return any(one is True or isinstance(one, Unknown) for one in shared) or (
        isinstance(volumes, list) and any(isinstance(one, Mapping) and "hostPath" in one for one in volumes)
    )


def _is_container(value: Value) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("image"), str | Unknown)


def _may_run(value: Value, resource: Resource) -> bool:
    """Return whether an entry of a list of containers is one, with an image; only triggers of OpenShift fill one in."""
    if not isinstance(value, Mapping) or not isinstance(value.get("securityContext"), Mapping | Unknown | None):
        return False
    image = value.get("image")
    return (
        isinstance(image, Unknown)
        or image is SECRET
        or (isinstance(image, str) and bool(image.strip() or _filled(resource)))
    )


def _filled(resource: Resource) -> bool:
    return resource.kind == "DeploymentConfig" and bool(resource.all("spec.triggers"))


def _require_seen(value: Mapping[str, Value], path: str) -> None:
    """Look for values in which pods may be.

    Raises:
        UnknownValueError: one is known only after the deployment.
    """
    if unseen := [key for key, inner in value.items() if key in _HOLDING and _unseen(inner)]:
        raise UnknownValueError(f"{path}.{unseen[0]}" if path else unseen[0])


def _unseen(value: Value) -> bool:
    """Return whether a value, or one that it lists, is not known yet."""
    return isinstance(value, Unknown) or (isinstance(value, list) and any(isinstance(one, Unknown) for one in value))


def containers(resource: Resource) -> Iterator[Value]:
    """Yield every container of a workload."""
    for pod in pods(resource):
        yield from pod.containers


def workloads(graph: Graph) -> list[Resource]:
    """Return the resources that make pods, as far as is known yet."""
    return graph.memo("workloads", lambda one: [workload for workload in one.of(*WORKLOADS) if _makes_pods(workload)])


def _makes_pods(workload: Resource) -> bool:
    if workload.kind.startswith("Cluster") and workload.type.startswith(EMBEDDING):
        return False  # a template without a namespace
    if workload.kind in _BY_NAME or workload.type.startswith((SELDON, *LONG_RUNNING, *JOBS, *POD)):
        return True
    try:
        return any(True for _ in pods(workload))
    except (UnknownValueError, AttributeError, TypeError):
        return True  # what is not understood may
