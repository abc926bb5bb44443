"""Kubeflow Pipelines on a cluster: what its steps need of the platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from mlstrata.clients.mlflow.access import SEAL
from mlstrata.components.cluster import PREFIX, Cluster, ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.manifests import rights
from mlstrata.components.naming import forms
from mlstrata.components.network_policies import outgoing
from mlstrata.components.pipelines.outputs import PipelinesOutputs
from mlstrata.components.registry import people
from mlstrata.components.registry.kubernetes import ACCESS_KEYS, USES_REGISTRY, registry_of
from mlstrata.components.registry.names import ACCESS
from mlstrata.components.registry.names import PORT as REGISTRY_PORT
from mlstrata.components.storage.data import store_of
from mlstrata.components.storage.database import Database
from mlstrata.components.storage.objects import ObjectStore

SERVICE = "ml-pipeline"
CALLERS = "pipelines-callers"
"""The Role of whoever trains from another machine."""


@dataclass(frozen=True)
class KubeflowArgs:
    """Arguments of `Kubeflow`.

    Attributes:
        cluster: Where.
        namespace: Namespace of Kubeflow Pipelines, in which its steps run too.
        training: Who may train from outside of the cluster: subjects of a role.
        data: System to the bucket that its rows lie in.
        after: What must be there before it: Kubeflow Pipelines.
    """

    cluster: Cluster
    namespace: str
    training: Sequence[dict[str, str]] = ()
    data: Mapping[str, ObjectStore | Database] = field(default_factory=dict)
    after: Sequence[pulumi.Resource] = ()


class Kubeflow(ClusterComponent):
    """What Kubeflow's steps need of the platform: a way to the registry, and the password at its door."""

    def __init__(self, name: str, args: KubeflowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipelines", name, args.cluster, opts)
        self.needs(args.namespace, ACCESS, ACCESS_KEYS, "the registry that pipelines send models to", optional=(SEAL,))
        self.pulls(args.namespace)
        registry = registry_of(args.cluster.namespace)
        way = outgoing("steps-registry", args.namespace, of=USES_REGISTRY, ports=[REGISTRY_PORT], peers=[registry])
        self.add("registry", way, after=args.after)
        for system, store in args.data.items():
            store.read_by(self, args.namespace, f"the data that pipelines train {system} on")
            steps = {**USES_REGISTRY, f"{PREFIX}/system": system}
            to = outgoing(forms.steps_data(system), args.namespace, of=steps, ports=[store.port], peers=store.peers)
            self.add(f"data-{system}", to, after=args.after)
        if args.training:
            # Kubeflow's own API server is a Deployment of its manifests: no right can name its pod.
            rules = [
                people.rule("services", [SERVICE], ["get"]),
                people.rule("pods", [], ["get", "list"]),
                people.rule("pods/portforward", [], ["create", "get"]),
            ]
            role, binding = rights(CALLERS, args.namespace, rules, list(args.training))
            self.add("callers", binding, after=[self.add("reached", role, after=args.after)])
        self.register_outputs({})


def build(site: ClusterSite) -> PipelinesOutputs:
    """Build Kubeflow Pipelines, with what its steps need."""
    kubeflow = site.upstream("kubeflow-pipelines")
    namespace = kubeflow.package.namespace
    trained = [system for system in site.spec.systems if not system.untrainable()]
    training = [people.people(site.spec.name, system.name) for system in trained]
    stores = {system.name: store_of(system.training_data, site.inputs.store) for system in trained}
    data = {name: store for name, store in stores.items() if store}
    args = KubeflowArgs(site.cluster, namespace, training, data, [*kubeflow.ready, *site.ready])
    Kubeflow("pipelines", args, site.opts)
    return PipelinesOutputs("kubeflow", f"http://{SERVICE}.{namespace}.svc:8888")
