"""An environment on this machine."""

from __future__ import annotations

from collections.abc import Mapping

from mlstrata.components.capability import LocalBuilder, planned
from mlstrata.components.governance.system import AISystem
from mlstrata.components.local_site import LocalSite
from mlstrata.components.platform.args import PlatformArgs
from mlstrata.components.platform.local import Platform
from mlstrata.components.programs import find
from mlstrata.components.site import UNOWNED
from mlstrata.components.storage.stores import Stores
from mlstrata.components.supervision.ports import Ports
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.environments.spec.target import LocalTarget
from mlstrata.stacks.outputs import LocalEnvironment


def build(spec: EnvironmentSpec, workspace: Workspace) -> LocalEnvironment:
    """Register the resources of a local environment, those that its capabilities ask for.

    Raises:
        PlanError: A program that its services run is missing.
    """
    builders = {name: one for name, one in planned(spec, workspace) if isinstance(one, LocalBuilder)}
    binaries = find(dict.fromkeys(program for one in builders.values() for program in one.programs))
    home, socket = workspace.home(spec.name), workspace.socket(spec.name)
    systems = {system.name: AISystem.of(system) for system in spec.systems}
    of_systems = {
        service: Ports(
            f"{service}-ports",
            home=home,
            owner=service,
            wanted=dict.fromkeys(names, 0),
            opts=systems[system].child(),
        )
        for builder in builders.values()
        if builder.system_ports
        for system, services in builder.system_ports(spec).items()
        for service, names in services.items()
    }
    platform = Platform(
        "platform",
        PlatformArgs(
            facts=_facts(spec, workspace),
            home=home,
            socket=socket,
            owner=spec.owner or UNOWNED,
            binaries=binaries,
            wanted=_wanted(spec, builders),
            after=list(of_systems.values()),
        ),
    )
    ports = {**platform.ports, **of_systems}
    site = LocalSite(spec, workspace, systems, platform.host, ports)
    for builder in builders.values():
        site.take(builder(site))
    return LocalEnvironment(
        home=home,
        socket=socket,
        urls=site.urls,
        ports={service: one.ports for service, one in ports.items()},
    )


def _wanted(spec: EnvironmentSpec, builders: Mapping[str, LocalBuilder]) -> Mapping[str, Mapping[str, int]]:
    """Return the ports of the platform's own services, one set a service: another stage adds sets, and changes none."""
    given = spec.target.ports if isinstance(spec.target, LocalTarget) else {}
    return {
        service: {port: given.get(port, 0) for port in names}
        for builder in builders.values()
        for service, names in builder.ports.items()
    }


def _facts(spec: EnvironmentSpec, workspace: Workspace) -> Mapping[str, object]:
    """Return what may not change while the environment is deployed; a stage may, so it is not among them."""
    fixed = spec.model_dump(mode="json", include={"name", "target"}, exclude={"target": {"ports"}})
    return {**fixed, "storage": Stores(spec, workspace).active.model_dump(mode="json")}
