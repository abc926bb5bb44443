"""The namespaces of an environment's systems on a cluster."""

from __future__ import annotations

from mlstrata.components.cluster import Ownership
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.namespaces.args import NamespaceArgs
from mlstrata.components.namespaces.kubernetes import ClosedNamespace
from mlstrata.components.namespaces.outputs import NamespaceOutputs, NamespacesOutputs
from mlstrata.components.site import UNOWNED
from mlstrata.environments.spec.system import SystemSpec


def build(site: ClusterSite) -> NamespacesOutputs:
    """Build the namespace of every system: its team's, made for the first of its systems, or one of its own."""
    found: dict[str, NamespaceOutputs] = {}
    for system in site.spec.systems:
        name = site.namespace_of(system)
        if name not in found:
            found[name] = _namespace(site, system, name)
    return NamespacesOutputs(found)


def _namespace(site: ClusterSite, system: SystemSpec, name: str) -> NamespaceOutputs:
    team = next((one for one in site.spec.teams if one.name == system.team), None)
    owner = (team and team.owner) or site.spec.owner_of(system) or UNOWNED
    ownership = Ownership(owner, (team and team.cost_centre) or site.cluster.ownership.cost_centre)
    args = NamespaceArgs(site.cluster, name, ownership, team.name if team else "", team.gpu_quota if team else 0)
    made = ClosedNamespace(f"namespace-{system.team or system.name}", args, site.opts)
    return NamespaceOutputs(ownership, made.ready)
