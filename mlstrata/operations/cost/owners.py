"""Whose a planned resource is, by the file and the labels that it already has."""

from __future__ import annotations

from dataclasses import dataclass

from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.teams import GpuPoolSpec
from mlstrata.operations.cost.model import Owner
from mlstrata.policies.core.graph import Graph, Resource
from mlstrata.policies.core.values import UnknownValueError

COST_CENTRE, TEAM = "mlstrata.io/cost-centre", "mlstrata.io/team"
PLATFORM = "platform"
_DECLARING, _ACCOUNT = "governance", "aws"
_OURS = "mlstrata:"


@dataclass(frozen=True)
class Owners:
    """Who owns what in a plan.

    Attributes:
        spec: The environment.
        graph: Its plan.
    """

    spec: EnvironmentSpec
    graph: Graph

    def of(self, resource: Resource) -> Owner:
        """Return whose a resource is: its system's, by its place or label, else its team's, else the platform's."""
        system = self.graph.owners.get(resource.urn)
        component = self._component(resource)
        if system is not None:
            return self.of_system(component, system.name)
        return self.of_team(component, _label(resource, TEAM), _label(resource, COST_CENTRE))

    def of_system(self, component: str, name: str) -> Owner:
        """Return the owner of what a system has to itself."""
        declared = next((one for one in self.spec.systems if one.name == name), None)
        if declared is None:
            return Owner(component, name, "", self._platform)
        whose = self.of_team(component, declared.team or "", declared.cost_centre or "")
        return Owner(component, name, whose.team, whose.cost_centre)

    def of_team(self, component: str, name: str, cost_centre: str = "") -> Owner:
        """Return the owner of what a team has; without a name it is the platform's."""
        team = next((one for one in self.spec.teams if one.name == name), None)
        return Owner(component, "", name, cost_centre or (team and team.cost_centre) or self._platform)

    def quotas(self, component: str, pool: GpuPoolSpec) -> dict[Owner, int]:
        """Return who may hold how many GPUs of a pool; the platform alone, with 0, where no team may."""
        teams = [one for one in self.spec.teams if one.gpu_quota and (not pool.teams or one.name in pool.teams)]
        return {self.of_team(component, one.name): one.gpu_quota for one in teams} or {self.of_team(component, ""): 0}

    @property
    def _platform(self) -> str:
        return self.spec.cost_centre or PLATFORM

    def _component(self, resource: Resource) -> str:
        """Return what of the platform a resource is part of: its outermost component that declares no system."""
        found, at = "", self.graph.by_urn.get(resource.parent)
        while at is not None:
            _, module, _ = f"{at.type}::".split(":", 2)
            if at.type.startswith(_OURS) and module != _DECLARING:
                found = at.name if module == _ACCOUNT else module
            at = self.graph.by_urn.get(at.parent)
        return found or PLATFORM


def _label(resource: Resource, name: str) -> str:
    try:
        return resource.label(name)
    except UnknownValueError:
        return ""
