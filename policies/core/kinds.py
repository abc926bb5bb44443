"""Kinds of Kubernetes resources by what they hold: pods, objects that a plan does not show, words."""

from __future__ import annotations

from collections.abc import Mapping

from mlstrata.policies.core.values import Value

SELDON = "kubernetes:machinelearning.seldon.io/"
KSERVE = "kubernetes:serving.kserve.io/"
SPARK = "kubernetes:sparkoperator.k8s.io/"
LONG_RUNNING = (
    *(
        f"kubernetes:{group}:{kind}"
        for group in ("apps/v1", "apps/v1beta1", "apps/v1beta2", "extensions/v1beta1")
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
    ),
    "kubernetes:core/v1:ReplicationController",
    "kubernetes:apps.openshift.io/v1:DeploymentConfig",
    *(f"kubernetes:apps.kruise.io/v1alpha1:{kind}" for kind in ("CloneSet", "StatefulSet", "DaemonSet")),
    *(f"kubernetes:apps.kruise.io/v1beta1:{kind}" for kind in ("StatefulSet", "DaemonSet")),
    "kubernetes:argoproj.io/v1alpha1:Rollout",
)
JOBS = tuple(
    f"kubernetes:batch/{version}:{kind}" for version in ("v1", "v1beta1", "v2alpha1") for kind in ("Job", "CronJob")
)
EMBEDDING = (
    KSERVE,
    SPARK,
    "kubernetes:apps.kruise.io/",
    "kubernetes:apps.openshift.io/",
    "kubernetes:argoproj.io/",
    "kubernetes:batch.volcano.sh/",
    "kubernetes:jobset.x-k8s.io/",
    "kubernetes:keda.sh/",
    "kubernetes:kubeflow.org/",
    "kubernetes:leaderworkerset.x-k8s.io/",
    "kubernetes:ray.io/",
    "kubernetes:serving.knative.dev/",
    "kubernetes:spark.apache.org/",
    "kubernetes:tekton.dev/",
    "kubernetes:trainer.kubeflow.org/",
    "kubernetes:workload.codeflare.dev/",
)
"""Groups of other makers' kinds that hold pods somewhere inside."""
POD = ("kubernetes:core/v1:Pod", "kubernetes:core/v1:PodTemplate")
WORKLOADS = (*LONG_RUNNING, *JOBS, *POD, SELDON, *EMBEDDING)
HIDING = (
    *("kubernetes:helm.sh/v3:Release", "kubernetes:helm.sh/v3:Chart", "kubernetes:helm.sh/v4:Chart"),
    *("kubernetes:yaml:ConfigFile", "kubernetes:yaml:ConfigGroup", "kubernetes:kustomize:Directory"),
    *("kubernetes:yaml/v2:ConfigFile", "kubernetes:yaml/v2:ConfigGroup", "kubernetes:kustomize/v2:Directory"),
    "kubernetes:argoproj.io/v1alpha1:Application",
    *("kubernetes:helm.cattle.io/", "kubernetes:helm.toolkit.fluxcd.io/"),
    *("kubernetes:kustomize.toolkit.fluxcd.io/", "kubernetes:kustomize.config.k8s.io/"),
)
"""What makes objects of a cluster that an offline plan may not show."""
_FETCHED = (
    *("kubernetes:yaml/v2:ConfigFile", "kubernetes:yaml/v2:ConfigGroup", "kubernetes:kustomize/v2:Directory"),
    *("kubernetes:helm.sh/v4:Chart", "kubernetes:helm.sh/v3:Release"),
)
"""Of these, what the provider fetches and expands by itself: no program declares what is inside."""
_SAME = ("", "Patch", "List")
_OF_ONE = frozenset({"image", "command", "args", "env", "envFrom", "securityContext", "volumeMounts", "resources"})
"""Keys by which an entry of `containers` is one, whatever else it lacks."""
_ASKING = (
    *("kubernetes:kyverno.io/", "kubernetes:policies.kyverno.io/"),
    *("kubernetes:constraints.gatekeeper.sh/", "kubernetes:templates.gatekeeper.sh/"),
    *("kubernetes:admissionregistration.k8s.io/", "kubernetes:apiextensions.k8s.io/"),
)
"""Groups whose kinds say what others' pods may be like."""


def is_of(type_: str, kinds: tuple[str, ...]) -> bool:
    """Return whether a resource's type is one of some kinds, or of their group.

    A kind of Kubernetes is meant exactly: an IngressClass is no Ingress. Its patch, and a list of it, are of it too.

    Args:
        type_: The type.
        kinds: Types, or prefixes of types: those that end with a colon or a slash are groups.
    """
    return any(
        type_.startswith(kind)
        and (kind.endswith((":", "/")) or not kind.startswith("kubernetes:") or type_[len(kind) :] in _SAME)
        for kind in kinds
    )


def is_expanded(urn: str) -> bool:
    """Return whether a resource is part of a bundle or chart that its provider fetched."""
    return any(kind in _FETCHED for kind in urn.split("::")[2].split("$")[:-1])


def is_unread(kind: str, inputs: Mapping[str, Value]) -> bool:
    """Return whether a resource holds containers and is of a kind that no policy knows.

    Args:
        kind: Its type, such as `kubernetes:example.com/v1:Thing`.
        inputs: What it was given.
    """
    known = is_of(kind, (*WORKLOADS, *_ASKING)) or not kind.startswith("kubernetes:")
    return not known and holds_containers(inputs.get("spec"))


def holds_containers(value: Value) -> bool:
    """Return whether there are containers anywhere inside a value."""
    if isinstance(value, Mapping):
        listed = value.get("containers")
        if isinstance(listed, list) and any(isinstance(one, Mapping) and not _OF_ONE.isdisjoint(one) for one in listed):
            return True
        return any(map(holds_containers, value.values()))
    return isinstance(value, list | tuple) and any(map(holds_containers, value))
