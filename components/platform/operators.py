"""A namespace of upstream operators: closed like every other, with the ways that an operator needs."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.namespaces.args import NamespaceArgs
from mlstrata.components.namespaces.kubernetes import ClosedNamespace
from mlstrata.components.network_policies import ANYWHERE, incoming, outgoing, pods, within

API = (443, 6443)
ASKED = (443, 4443, 6443, 8443, 9443, 10250)
"""Ports on which the API server asks operators: their webhooks, and KEDA for metrics."""
METRICS = (8080, 9400, 19001)


@dataclass(frozen=True)
class OperatorNamespaceArgs:
    """Arguments of `OperatorNamespace`.

    Attributes:
        cluster: Where.
        namespace: The namespace.
        security: Pod Security standard that is enforced.
    """

    cluster: Cluster
    namespace: str
    security: str = "restricted"


class OperatorNamespace(ClusterComponent):
    """A namespace of operators.

    Attributes:
        ready: What is installed in it waits for.
    """

    def __init__(self, name: str, args: OperatorNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform", name, args.cluster, opts)
        space, cluster = args.namespace, args.cluster
        # Metrics and their history stay when the stack goes.
        keep = space == cluster.monitoring
        walls = NamespaceArgs(cluster, space, cluster.ownership, security=args.security, bounded=False, keep=keep)
        base = ClosedNamespace(f"{name}-namespace", walls, self.child()).ready
        monitor = pods(namespace=cluster.monitoring)
        openings = {
            # The API server is no pod: its address is the cluster's secret.
            "api": outgoing("allow-api", space, of={}, ports=API, peers=[ANYWHERE]),
            "webhooks": incoming("allow-webhooks", space, to={}, ports=ASKED, peers=[ANYWHERE]),
            "metrics": incoming("allow-metrics", space, to={}, ports=METRICS, peers=[monitor]),
            "within": within(space),
        }
        self.ready: list[pulumi.Resource] = [
            *base,
            *(self.add(role, policy, after=base) for role, policy in openings.items()),
        ]
        self.register_outputs({})
