"""An environment on this machine."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from mlstrata.components.batch.args import SERVICE as BATCH
from mlstrata.components.batch.args import BatchArgs
from mlstrata.components.batch.local import Batch
from mlstrata.components.catalog.args import CatalogArgs
from mlstrata.components.catalog.local import Catalog
from mlstrata.components.gateway.args import Entrance, GatewayArgs
from mlstrata.components.gateway.local import Gateway
from mlstrata.components.governance.system import AISystem, AISystemArgs
from mlstrata.components.local_host import Host, LocalComponent
from mlstrata.components.monitoring.args import MonitoringArgs
from mlstrata.components.monitoring.local import Monitoring
from mlstrata.components.pipelines.args import PipelinesArgs
from mlstrata.components.pipelines.local import Pipelines
from mlstrata.components.platform.args import PlatformArgs
from mlstrata.components.platform.local import Platform
from mlstrata.components.programs import Binaries, find
from mlstrata.components.registry.args import RegistryArgs
from mlstrata.components.registry.local import Registry
from mlstrata.components.serving.args import ServingArgs, serving_name
from mlstrata.components.serving.local import Serving
from mlstrata.components.storage.args import PORTS, ObjectsArgs
from mlstrata.components.storage.args import SERVICE as STORAGE
from mlstrata.components.storage.local import Objects
from mlstrata.components.supervision.ports import Ports
from mlstrata.environments import Capability, EnvironmentSpec, Workspace
from mlstrata.environments.spec.serving import ConsumerSpec, ServingMode
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.spec.target import LocalTarget
from mlstrata.services.alerts.settings import Promise
from mlstrata.services.batch.jobs import scheduled
from mlstrata.services.gateway.rotation import Rotation
from mlstrata.services.gateway.settings import Consumer, Deprecation
from mlstrata.stacks.outputs import LocalEnvironment
from mlstrata.stacks.preconditions import probability_range
from mlstrata.stacks.storage import Stores

UNOWNED = "nobody is named"
"""The owner in alerts of an environment whose file names none."""


def build(spec: EnvironmentSpec, workspace: Workspace) -> LocalEnvironment:
    """Register the resources of a local environment, those that its capabilities ask for.

    Raises:
        PlanError: A program that its services run is missing.
    """
    return _Local(spec, workspace).environment


class _Local:
    """One environment while it is built, in the order of what needs what."""

    def __init__(self, spec: EnvironmentSpec, workspace: Workspace) -> None:
        self.spec = spec
        self.stores = Stores(spec, workspace)
        self.binaries = _binaries(spec, stores=self.stores)
        self.root, self.home = workspace.root, workspace.home(spec.name)
        self.components: list[LocalComponent] = []
        self.urls: dict[str, pulumi.Output[str]] = {}
        declared = {system.name: system.model_dump(mode="json", exclude_none=True) for system in spec.systems}
        self.systems = {name: AISystem(name, AISystemArgs(system)) for name, system in declared.items()}
        self.ports = {
            serving_name(system.name, number): self._serving_ports(system, number)
            for system in self._realtime()
            for number in _copies(system)
        }
        platform = Platform(
            "platform",
            PlatformArgs(
                facts=_facts(spec, self.stores),
                home=self.home,
                socket=workspace.socket(spec.name),
                owner=spec.owner or UNOWNED,
                binaries=self.binaries,
                wanted=_wanted(spec, self.stores),
                after=list(self.ports.values()),
            ),
        )
        self.ports = {**platform.ports, **self.ports}
        self.host: Host = platform.host
        self._storage()
        self._registry()
        self._pipelines()
        self._catalog()
        self._batch()
        self._gateway([self._serving(system) for system in self._realtime()])
        self._monitoring()
        self.environment = LocalEnvironment(
            home=self.home,
            socket=self.host.socket,
            urls=self.urls,
            ports={service: ports.ports for service, ports in self.ports.items()},
        )

    def _realtime(self) -> list[SystemSpec]:
        return [system for system in self.spec.systems if system.serving.mode is ServingMode.REALTIME]

    def _serving_ports(self, system: SystemSpec, number: int) -> Ports:
        service = serving_name(system.name, number)
        wanted = dict.fromkeys(("http", "grpc", "metrics"), 0)
        opts = self.systems[system.name].child()
        return Ports(f"{service}-ports", home=self.home, owner=service, wanted=wanted, opts=opts)

    def _storage(self) -> None:
        self.storage: list[pulumi.Resource] = []
        self.endpoint: pulumi.Input[str] = ""
        if self.stores.own:
            objects = Objects("storage", ObjectsArgs(self.host, self.ports[STORAGE]))
            self.components.append(objects)
            self.storage, self.endpoint = [objects.service], objects.endpoint

    def _registry(self) -> None:
        if Capability.REGISTRY not in self.spec.capabilities:
            return
        args = RegistryArgs(
            self.host,
            self.ports["mlflow"].port("mlflow"),
            self.stores.uri,
            access=self.stores.access(self.endpoint),
            after=self.storage,
        )
        registry = Registry("registry", args)
        self.components.append(registry)
        self.urls["mlflow"] = registry.uri
        self.registry_access = registry.access

    def _pipelines(self) -> None:
        if Capability.PIPELINES not in self.spec.capabilities:
            return
        args = PipelinesArgs(
            host=self.host,
            environment=self.spec.name,
            root=self.root,
            port=self.ports["runner"].port("runner"),
            tracking_uri=self.urls["mlflow"],
            registry_access=self.registry_access,
            systems=[system for system in self.spec.systems if system.untrainable() is None],
        )
        pipelines = Pipelines("pipelines", args)
        self.components.append(pipelines)
        self.urls["runner"] = pipelines.url

    def _batch(self) -> None:
        if systems := scheduled(self.spec, self.root, self.home):
            self.components.append(Batch("batch", BatchArgs(self.host, self.ports[BATCH].port(BATCH), systems)))

    def _catalog(self) -> None:
        if Capability.CATALOG not in self.spec.capabilities:
            return
        port = self.ports["catalog"].port("catalog")
        catalog = Catalog("catalog", CatalogArgs(self.host, port, self.urls["mlflow"], self.spec))
        self.components.append(catalog)
        self.urls["catalog"] = catalog.url

    def _serving(self, system: SystemSpec) -> Entrance:
        service = serving_name(system.name)
        sla, serving = system.serving.sla, system.serving
        promise = Promise(
            system=system.name,
            owner=self.spec.owner_of(system) or UNOWNED,
            p99_seconds=sla.p99.total_seconds(),
            availability=sla.availability,
        )
        component = Serving(
            service,
            ServingArgs(
                self.host,
                system.name,
                [self.ports[serving_name(system.name, number)] for number in _copies(system)],
                promise,
                probability_range(system),
            ),
            self.systems[system.name].child(),
        )
        self.components.append(component)
        return Entrance(
            endpoint=component.endpoint,
            consumers=tuple(
                Consumer(
                    name=consumer.name,
                    count=consumer.rate.count,
                    per_seconds=consumer.rate.per_seconds,
                    **_quota(consumer),
                )
                for consumer in serving.consumers
            ),
            timeout_s=serving.limits.timeout.total_seconds(),
            body_limit=serving.limits.body_bytes,
            api_versions=serving.api_versions,
            deprecations=tuple(Deprecation(**one.model_dump()) for one in serving.deprecations),
        )

    def _gateway(self, entrances: list[Entrance]) -> None:
        if Capability.GATEWAY not in self.spec.capabilities:
            return
        issuer = f"mlstrata/{self.spec.name}"
        args = GatewayArgs(self.host, self.ports["gateway"], issuer, entrances, Rotation.read(self.home))
        gateway = Gateway("gateway", args)
        self.components.append(gateway)
        self.urls["gateway"] = gateway.url

    def _monitoring(self) -> None:
        if "resources" not in self.ports:
            return
        monitoring = Monitoring(
            "monitoring",
            MonitoringArgs(
                host=self.host,
                alerts=self._alerts_ports(),
                resources_port=self.ports["resources"].port("resources"),
                retention=self.spec.retention.logs,
                contributions=[file for component in self.components for file in component.contributions],
                gateway_admin=self.ports["gateway"].port("gateway_admin") if "gateway" in self.ports else None,
            ),
        )
        self.components.append(monitoring)
        self.urls |= monitoring.urls

    def _alerts_ports(self) -> tuple[pulumi.Output[int], pulumi.Output[int]] | None:
        if Capability.ALERTS not in self.spec.capabilities:
            return None
        return self.ports["prometheus"].port("prometheus"), self.ports["alertmanager"].port("alertmanager")


def _copies(system: SystemSpec) -> range:
    """Return the numbers of a system's prediction processes; this machine runs as many as answer at rest."""
    return range(1, system.serving.replicas.min + 1)


def _quota(consumer: ConsumerSpec) -> dict[str, int]:
    quota = consumer.quota
    return {} if quota is None else {"quota": quota.count, "quota_seconds": quota.per_seconds}


def _wanted(spec: EnvironmentSpec, stores: Stores) -> Mapping[str, Mapping[str, int]]:
    """Return the ports of the platform's own services, one set a service: another stage adds sets, and changes none."""
    given = spec.target.ports if isinstance(spec.target, LocalTarget) else {}
    # What archives the gateway's log runs wherever there is a gateway, alerts or none.
    watching = Capability.ALERTS if Capability.ALERTS in spec.capabilities else Capability.GATEWAY
    names: list[tuple[Capability, str, tuple[str, ...]]] = [
        (Capability.REGISTRY, "mlflow", ("mlflow",)),
        (Capability.GATEWAY, "gateway", ("gateway", "gateway_admin")),
        (Capability.ALERTS, "prometheus", ("prometheus",)),
        (Capability.ALERTS, "alertmanager", ("alertmanager",)),
        (watching, "resources", ("resources",)),
        (Capability.PIPELINES, "runner", ("runner",)),
        (Capability.CATALOG, "catalog", ("catalog",)),
    ]
    wanted = {
        service: {port: given.get(port, 0) for port in ports}
        for capability, service, ports in names
        if capability in spec.capabilities
    }
    batch = {BATCH: {BATCH: 0}} if any(system.serving.schedule for system in spec.systems) else {}
    return {**wanted, **batch, **({STORAGE: dict.fromkeys(PORTS, 0)} if stores.own else {})}


def _binaries(spec: EnvironmentSpec, *, stores: Stores) -> Binaries:
    needs: list[tuple[Capability, tuple[str, ...]]] = [
        (Capability.REGISTRY, ("mlflow", "python")),
        (Capability.SERVING, ("mlserver",)),
        (Capability.BATCH, ("python",)),
        (Capability.GATEWAY, ("envoy",)),
        (Capability.PIPELINES, ("python",)),
        (Capability.CATALOG, ("python",)),
        (Capability.ALERTS, ("prometheus", "alertmanager")),
    ]
    names = [name for capability, tools in needs if capability in spec.capabilities for name in tools]
    return find([*names, *(["weed"] if stores.own else [])])


def _facts(spec: EnvironmentSpec, stores: Stores) -> Mapping[str, object]:
    """Return what may not change while the environment is deployed; a stage may, so it is not among them."""
    fixed = spec.model_dump(mode="json", include={"name", "target"}, exclude={"target": {"ports"}})
    return {**fixed, "storage": stores.active.model_dump(mode="json")}
