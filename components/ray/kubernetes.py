"""Ray on a cluster: each team's namespace is opened for the Ray clusters that its own pipelines start and end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent, Ownership
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.manifests import group, manifest, rights, service_account
from mlstrata.components.namespaces.outputs import NamespacesOutputs
from mlstrata.components.network_policies import Peer, incoming, outgoing, pods

NODES = {"ray.io/is-ray-node": "yes"}
"""Label that KubeRay gives to every pod of a Ray cluster."""
DASHBOARD, HEAD, ANY = 8265, 6379, (1024, 65535)
"""Where KubeRay asks a head for its jobs, where nodes find their head, and the ports that nodes talk on."""


@dataclass(frozen=True)
class RayArgs:
    """Arguments of `Ray`.

    Attributes:
        cluster: Where.
        namespace: The team's namespace.
        ownership: Whose it is.
        operators: KubeRay's namespace.
        shared: It is somebody else's, who opens it.
        after: What must be there before it: KubeRay, the namespace.
    """

    cluster: Cluster
    namespace: str
    ownership: Ownership
    operators: str
    shared: bool = False
    after: Sequence[pulumi.Resource] = ()


class Ray(ClusterComponent):
    """What a team needs to train on several machines: rights to start Ray's jobs, and ways between their nodes.

    The namespace's quota bounds what they take, and its standards hold for their pods.
    """

    def __init__(self, name: str, args: RayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ray", name, args.cluster, opts, ownership=args.ownership)
        space, after = args.namespace, list(args.after)
        operator = pods(namespace=args.operators)
        low, high = ANY
        both = [{"port": low, "endPort": high, "protocol": "TCP"}]
        spec = {
            "podSelector": {"matchLabels": NODES},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [pods(labels=NODES)], "ports": both}],
            "egress": [{"to": [pods(labels=NODES)], "ports": both}],
        }
        beside = manifest("networking.k8s.io/v1", "NetworkPolicy", "ray-nodes", space, spec=spec)
        self.add("nodes", beside, after=after)
        self.add(
            "operator",
            incoming("ray-operator", space, to=NODES, ports=[DASHBOARD, HEAD], peers=[operator]),
            after=after,
        )
        # The job that submits to a head is a pod without the label.
        submitter = {"ray.io/originated-from-crd": "RayJob"}
        heads = outgoing("ray-submit", space, of=submitter, ports=[DASHBOARD], peers=[pods(labels=NODES)])
        self.add("submit", heads, after=after)
        jobs = incoming("ray-jobs", space, to=NODES, ports=[DASHBOARD], peers=[pods(labels=submitter)])
        self.add("jobs", jobs, after=after)
        if not args.shared:
            # The operator's namespace is as closed as this one; others may have Ray clusters of their own.
            there: Peer = {"namespaceSelector": {}, **pods(labels=NODES)}
            out = outgoing(f"{space}-ray", args.operators, of={}, ports=[DASHBOARD, HEAD], peers=[there])
            self.add("asked", out, after=after)
        rules = [
            {
                "apiGroups": ["ray.io"],
                "resources": ["rayclusters", "rayjobs"],
                "verbs": ["get", "list", "watch", "create", "delete"],
            }
        ]
        team = space.removeprefix(f"{args.cluster.namespace}-")
        people = group(f"mlstrata:{args.cluster.environment}:{team}")
        role, binding = rights("team-ray", space, rules, [people, service_account("team", space)])
        self.add("binding", binding, after=[self.add("role", role, after=after)])
        self.register_outputs({})


def build(site: ClusterSite) -> None:
    """Open every system's namespace for Ray clusters."""
    operator = site.upstream("kuberay")
    for name, namespace in site.require(NamespacesOutputs).by_name.items():
        after = [*operator.ready, *namespace.ready]
        args = RayArgs(
            site.cluster, name, namespace.ownership, operator.package.namespace, operator.package.exists, after
        )
        Ray(f"ray-{name.removeprefix(f'{site.cluster.namespace}-')}", args, site.opts)
