"""An environment on a cluster while it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from mlstrata.components.cluster import Cluster, Ownership
from mlstrata.components.cluster_inputs import ClusterInputs
from mlstrata.components.monitoring.outputs import MonitoringOutputs
from mlstrata.components.naming.forms import namespace_of
from mlstrata.components.platform.kubernetes import Platform
from mlstrata.components.platform.operators import OperatorNamespace, OperatorNamespaceArgs
from mlstrata.components.platform.upstream import Upstream, UpstreamArgs
from mlstrata.components.site import UNOWNED, Site
from mlstrata.components.upstream.bill import piece
from mlstrata.components.upstream.mirror import all_sources
from mlstrata.components.upstream.selection import Selection
from mlstrata.environments.spec.system import SystemSpec


@dataclass
class ClusterSite(Site):
    """What a capability is built from on a cluster.

    Attributes:
        cluster: Where.
        inputs: What the platform stands on.
        selection: The upstream packages that the environment takes.
        platform: What is in place before anything else.
        opts: Of what stands at the top: the provider.
        values: Returns the values of an upstream package's chart, by the package's name.
    """

    cluster: Cluster
    inputs: ClusterInputs
    selection: Selection
    platform: Platform
    opts: pulumi.ResourceOptions
    values: Callable[[str], Mapping[str, Any]]
    operators: dict[str, OperatorNamespace] = field(default_factory=dict, init=False, kw_only=True)
    _installed: dict[str, Upstream] = field(default_factory=dict, init=False, repr=False, kw_only=True)

    @property
    def ready(self) -> Sequence[pulumi.Resource]:
        """What everything waits for: the platform's namespace and priorities."""
        return self.platform.ready

    @property
    def watched(self) -> Sequence[pulumi.Resource]:
        """What anything that is scraped or alerted on waits for; nothing where the environment has no alerts."""
        monitoring = self.find(MonitoringOutputs)
        return monitoring.ready if monitoring else ()

    def upstream(self, name: str) -> Upstream:
        """Install an upstream package once, after those that it needs, in its own closed namespace.

        Of one that the cluster has already nothing is made, its namespace least of all.

        Raises:
            KeyError: The environment does not take it.
        """
        if name in self._installed:
            return self._installed[name]
        wanted = self.selection[name]
        namespace = [] if wanted.exists else self.operators_in(wanted.namespace, wanted.security).ready
        after = [*namespace, *(one for needed in wanted.after for one in self.where_taken(needed))]
        self._installed[name] = Upstream(name, UpstreamArgs(self.cluster, wanted, self.values(name), after), self.opts)
        return self._installed[name]

    def where_taken(self, name: str) -> Sequence[pulumi.Resource]:
        """Install an upstream package where the environment takes it and it has something to install."""
        return self.upstream(name).ready if name in self.selection and all_sources(self.selection[name]) else ()

    def namespace_of_piece(self, name: str) -> str:
        """Return where an upstream package runs, or would run if the environment took it."""
        return self.selection[name].namespace if name in self.selection else piece(name).namespace

    def operators_in(self, namespace: str, security: str) -> OperatorNamespace:
        """Return a namespace of operators, made for the first of what is in it."""
        if namespace not in self.operators:
            args = OperatorNamespaceArgs(self.cluster, namespace, security)
            self.operators[namespace] = OperatorNamespace(namespace, args, self.opts)
        return self.operators[namespace]

    def namespace_of(self, system: SystemSpec) -> str:
        """Return where a system is."""
        return namespace_of(self.cluster.namespace, system.team, system.name)

    def ownership_of(self, system: SystemSpec) -> Ownership:
        """Return who answers for a system, and who pays for it."""
        team = next((one for one in self.spec.teams if one.name == system.team), None)
        owner = self.spec.owner_of(system) or (team and team.owner) or UNOWNED
        paid_by = system.cost_centre or (team and team.cost_centre) or self.cluster.ownership.cost_centre
        return Ownership(owner, paid_by, system.name)
