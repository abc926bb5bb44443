"""Kubeflow Pipelines on a cluster: what its steps need of the platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.network_policies import outgoing, pods
from mlstrata.components.pipelines.outputs import PipelinesOutputs
from mlstrata.components.registry.kubernetes import ACCESS, ACCESS_KEYS, NAME, USES_REGISTRY
from mlstrata.components.registry.kubernetes import PORT as REGISTRY_PORT


@dataclass(frozen=True)
class KubeflowArgs:
    """Arguments of `Kubeflow`.

    Attributes:
        cluster: Where.
        namespace: Namespace of Kubeflow Pipelines, in which its steps run too.
        after: What must be there before it: Kubeflow Pipelines.
    """

    cluster: Cluster
    namespace: str
    after: Sequence[pulumi.Resource] = ()


class Kubeflow(ClusterComponent):
    """What Kubeflow's steps need of the platform: a way to the registry, and the password at its door."""

    def __init__(self, name: str, args: KubeflowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipelines", name, args.cluster, opts)
        self.needs(args.namespace, ACCESS, ACCESS_KEYS, "the registry that pipelines send models to")
        registry = pods(namespace=args.cluster.namespace, labels={"app.kubernetes.io/name": NAME})
        way = outgoing("steps-registry", args.namespace, of=USES_REGISTRY, ports=[REGISTRY_PORT], peers=[registry])
        self.add("registry", way, after=args.after)
        self.register_outputs({})


def build(site: ClusterSite) -> PipelinesOutputs:
    """Build Kubeflow Pipelines, with what its steps need."""
    kubeflow = site.upstream("kubeflow-pipelines")
    namespace = kubeflow.package.namespace
    Kubeflow("pipelines", KubeflowArgs(site.cluster, namespace, [*kubeflow.ready, *site.ready]), site.opts)
    return PipelinesOutputs("kubeflow", f"http://ml-pipeline.{namespace}.svc:8888")
