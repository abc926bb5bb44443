"""What is in place before anything else on a cluster: the platform's namespace and the order of who gives way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.manifests import manifest
from mlstrata.components.namespaces.args import NamespaceArgs
from mlstrata.components.namespaces.kubernetes import ClosedNamespace
from mlstrata.components.naming import forms

PRIORITIES = {
    "platform": (100_000, "The platform's own services: without them nothing else works."),
    "serving": (90_000, "What answers requests."),
    "training": (1_000, "What can be run again: it gives way."),
}


@dataclass(frozen=True)
class PlatformArgs:
    """Arguments of `Platform`.

    Attributes:
        cluster: Where.
        facts: Plain facts of the environment that are fixed while it is deployed; recorded with the component.
    """

    cluster: Cluster
    facts: Mapping[str, Any]


class Platform(ClusterComponent):
    """The base of an environment on a cluster.

    Attributes:
        space: The platform's namespace.
        ready: What everything else waits for.
    """

    def __init__(self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform", name, args.cluster, opts, spec=dict(args.facts))
        cluster = args.cluster
        # Databases stay when the stack goes; in a namespace that went they would not.
        space = NamespaceArgs(cluster, cluster.namespace, cluster.ownership, keep=True)
        self.space = ClosedNamespace(f"{name}-namespace", space, self.child())
        classes = [
            self.add(
                f"priority-{what}",
                manifest(
                    "scheduling.k8s.io/v1",
                    "PriorityClass",
                    priority(cluster, what),
                    value=value,
                    description=why,
                    # Training waits for room; it does not push anybody out.
                    preemptionPolicy="Never" if what == "training" else "PreemptLowerPriority",
                ),
            )
            for what, (value, why) in PRIORITIES.items()
        ]
        self.ready: list[pulumi.Resource] = [*self.space.ready, *classes]
        self.register_outputs({})


def priority(cluster: Cluster, what: str) -> str:
    """Return the name of a priority class: platform, serving or training."""
    return forms.part(cluster.namespace, what)
