"""Pods and volumes of a planned cluster: how many of them there are, at least and at most, and what they ask for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mlstrata.components.gpu.args import GPU, POOL
from mlstrata.operations.pending.room import quantity, requests
from mlstrata.policies.core.graph import Graph, Resource
from mlstrata.policies.core.values import dig

GIB = Decimal(1024**3)
REPLICATED = ("Deployment", "StatefulSet", "ReplicaSet")


@dataclass(frozen=True)
class Pods:
    """Equal pods of one resource.

    Attributes:
        spec: What each is like.
        low: How many there are at least.
        high: How many there are at most.
    """

    spec: Mapping[str, Any]
    low: int
    high: int

    @property
    def _asked(self) -> Mapping[str, Decimal]:
        return requests({"spec": self.spec})

    @property
    def cpu(self) -> Decimal:
        """Return the cores that each asks for."""
        return self._asked.get("cpu", Decimal(0))

    @property
    def memory(self) -> Decimal:
        """Return the GiB that each asks for."""
        return self._asked.get("memory", Decimal(0)) / GIB

    @property
    def gpus(self) -> Decimal:
        """Return the GPUs that each asks for, shared ones as what they are offered as."""
        return self._asked.get(GPU, Decimal(0))

    @property
    def pool(self) -> str:
        """Return the pool that they run in; empty: any."""
        return str(dig(self.spec, "nodeSelector", {}).get(POOL, ""))

    def in_pool(self, pools: Collection[str]) -> bool:
        """Return whether one of `pools` is the one that they run in: the one they name, or the only one there is."""
        return self.pool in pools or (not self.pool and len(pools) == 1)


@dataclass(frozen=True)
class Volumes:
    """Equal volumes of one resource.

    Attributes:
        size: GiB of each.
        low: How many there are at least.
        high: How many there are at most.
    """

    size: Decimal
    low: int
    high: int


Scaled = Mapping[tuple[str, str, str], tuple[int, int]]
"""Namespace, kind and name of what an autoscaler resizes to its bounds."""


def scaled(graph: Graph) -> Scaled:
    """Return what the autoscalers of a plan resize.

    Raises:
        UnknownValueError: a bound is known only after the deployment.
    """
    found = {}
    for one in graph.resources:
        if one.type.startswith("kubernetes:autoscaling/") and one.kind == "HorizontalPodAutoscaler":
            target = one.get("spec.scaleTargetRef", {})
            key = (one.get("metadata.namespace", ""), str(target.get("kind")), str(target.get("name")))
            found[key] = (int(one.get("spec.minReplicas", 1)), int(one.get("spec.maxReplicas", 1)))
    return found


def pods_of(resource: Resource, by: Scaled) -> Iterator[Pods]:
    """Yield the pods that a resource always has; those of jobs come and go.

    Raises:
        UnknownValueError: what they are like is known only after the deployment.
    """
    kind = resource.kind
    if kind in REPLICATED:
        yield Pods(resource.get("spec.template.spec", {}), *_replicas(resource, by))
    elif kind == "SeldonDeployment":
        yield from _seldon(resource)
    elif kind == "EnvoyProxy":
        at = "spec.provider.kubernetes"
        count = int(resource.get(f"{at}.envoyDeployment.replicas", 1))
        low = int(resource.get(f"{at}.envoyHpa.minReplicas", count))
        container = resource.get(f"{at}.envoyDeployment.container", {})
        yield Pods({"containers": [container]}, low, int(resource.get(f"{at}.envoyHpa.maxReplicas", count)))
    elif kind in {"Prometheus", "Alertmanager"} or _is_postgres(resource):
        count = int(resource.get("spec.instances" if _is_postgres(resource) else "spec.replicas", 1))
        yield Pods({"containers": [{"resources": resource.get("spec.resources", {})}]}, count, count)


def volumes_of(resource: Resource, by: Scaled) -> Iterator[Volumes]:
    """Yield the volumes of a resource.

    Raises:
        UnknownValueError: their size is known only after the deployment.
    """
    if resource.kind == "PersistentVolumeClaim":
        yield Volumes(_gib(resource.get("spec.resources.requests.storage", 0)), 1, 1)
    elif resource.kind == "StatefulSet":
        for claim in resource.all("spec.volumeClaimTemplates"):
            yield Volumes(_gib(dig(claim, "spec.resources.requests.storage", 0)), *_replicas(resource, by))
    elif resource.kind in {"Prometheus", "Alertmanager"}:
        size = resource.get("spec.storage.volumeClaimTemplate.spec.resources.requests.storage")
        if size:
            count = int(resource.get("spec.replicas", 1))
            yield Volumes(_gib(size), count, count)
    elif _is_postgres(resource):
        count = int(resource.get("spec.instances", 1))
        for path in ("spec.storage.size", "spec.walStorage.size"):
            if size := resource.get(path):
                yield Volumes(_gib(size), count, count)


def _is_postgres(resource: Resource) -> bool:
    return resource.type.startswith("kubernetes:postgresql.cnpg.io/") and resource.kind == "Cluster"


def _replicas(resource: Resource, by: Scaled) -> tuple[int, int]:
    name = (resource.get("metadata.namespace", ""), resource.kind, resource.get("metadata.name", ""))
    count = int(resource.get("spec.replicas", 1))
    return by.get(name, (count, count))


def _seldon(resource: Resource) -> Iterator[Pods]:
    for predictor in resource.all("spec.predictors"):
        count = int(dig(predictor, "replicas", dig(resource.inputs, "spec.replicas", 1)))
        for component in dig(predictor, "componentSpecs", []):
            own = int(dig(component, "replicas", count))
            low, high = dig(component, "hpaSpec.minReplicas", own), dig(component, "hpaSpec.maxReplicas", own)
            yield Pods(component.get("spec") or {}, int(low), int(high))


def _gib(size: object) -> Decimal:
    return quantity(size) / GIB
