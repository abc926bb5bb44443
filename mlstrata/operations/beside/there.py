"""What a cluster has already, as far as it concerns a plan: namespaces, definitions, and what runs operators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlstrata.clients.kubernetes import EVERYWHERE, Cluster, Kind

Json = dict[str, Any]
NAMESPACES = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
DEFINITIONS = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
OPERATORS = (Kind("apps", "v1", "Deployment", "deployments"), Kind("apps", "v1", "DaemonSet", "daemonsets"))
ADMITTING = (
    Kind("kyverno.io", "v1", "ClusterPolicy", "clusterpolicies", namespaced=False),
    Kind("policies.kyverno.io", "v1alpha1", "ImageValidatingPolicy", "imagevalidatingpolicies", namespaced=False),
    Kind("policy.sigstore.dev", "v1beta1", "ClusterImagePolicy", "clusterimagepolicies", namespaced=False),
)
"""Kinds of policies that look at the signatures of images."""
WORKLOADS = (
    *OPERATORS,
    Kind("apps", "v1", "StatefulSet", "statefulsets"),
    Kind("batch", "v1", "CronJob", "cronjobs"),
    Kind("batch", "v1", "Job", "jobs"),
    Kind("", "v1", "Pod", "pods"),
)


@dataclass(frozen=True)
class Running:
    """An image that a workload of the cluster runs.

    Attributes:
        namespace: Where.
        image: It, as the workload names it.
    """

    namespace: str
    image: str

    @property
    def repository(self) -> str:
        """The image's name without tag and digest."""
        name = self.image.partition("@")[0]
        return name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name

    @property
    def version(self) -> str:
        """The image's tag; empty: it names none, or a digest alone."""
        name = self.image.partition("@")[0].rpartition("/")[2]
        return name.partition(":")[2]


@dataclass(frozen=True)
class There:
    """A cluster as it was seen.

    Attributes:
        namespaces: Those that the plan makes and that are there, by name.
        lived_in: What runs in each of these that has anything, such as `Deployment web`.
        definitions: Definitions by name, `plural.group`.
        running: What Deployments and DaemonSets of the whole cluster run.
        admitting: Names of the policies that look at the signatures of images.
    """

    namespaces: Mapping[str, Json] = field(default_factory=dict)
    lived_in: Mapping[str, str] = field(default_factory=dict)
    definitions: Mapping[str, Json] = field(default_factory=dict)
    running: Sequence[Running] = ()
    admitting: frozenset[str] = frozenset()


def look(cluster: Cluster, namespaces: Iterable[str]) -> There:
    """Ask a cluster.

    Args:
        cluster: It.
        namespaces: The names of those that a plan makes.

    Raises:
        ClusterError: it does not answer, or refuses.
    """
    spaces = {one["metadata"]["name"]: one for one in cluster.list(NAMESPACES)}
    wanted = {name: spaces[name] for name in namespaces if name in spaces}
    definitions = {one["metadata"]["name"]: one for one in cluster.list(DEFINITIONS)}
    admitting = [kind for kind in ADMITTING if f"{kind.plural}.{kind.group}" in definitions]
    return There(
        namespaces=wanted,
        lived_in={name: what for name in wanted if (what := _first(cluster, name))},
        definitions=definitions,
        running=tuple(_running(cluster)),
        admitting=frozenset(one["metadata"]["name"] for kind in admitting for one in cluster.list(kind)),
    )


def _first(cluster: Cluster, namespace: str) -> str:
    return next(
        (f"{kind.kind} {one['metadata']['name']}" for kind in WORKLOADS for one in cluster.list(kind, namespace)), ""
    )


def _running(cluster: Cluster) -> Iterator[Running]:
    for kind in OPERATORS:
        for one in cluster.list(kind, EVERYWHERE):
            pod = one["spec"]["template"]["spec"]
            for container in pod.get("containers", ()):
                yield Running(one["metadata"]["namespace"], str(container.get("image", "")))
