"""The monitor on a cluster: one service for all systems, and rules for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from mlstrata.clients.mlflow.rest import PATIENCE
from mlstrata.components.cluster import Cluster, ClusterComponent, Ownership
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.database.args import Server
from mlstrata.components.database.outputs import DatabaseOutputs
from mlstrata.components.manifests import manifest, volume
from mlstrata.components.monitor.names import ACCESS, ACCESS_KEYS, NAME, PORT
from mlstrata.components.monitor.outputs import MonitorOutputs
from mlstrata.components.monitoring.kubernetes import groups_of, rules_of
from mlstrata.components.namespaces.outputs import NamespacesOutputs
from mlstrata.components.network_policies import pods
from mlstrata.components.platform.kubernetes import priority
from mlstrata.components.recording.names import DATABASE
from mlstrata.components.recording.outputs import RecordingOutputs
from mlstrata.components.registry.kubernetes import USES_REGISTRY, client, registry_of
from mlstrata.components.registry.names import PORT as REGISTRY_PORT
from mlstrata.components.registry.outputs import ClusterRegistryOutputs
from mlstrata.components.site import UNOWNED
from mlstrata.components.workload.args import WorkloadArgs
from mlstrata.components.workload.kubernetes import Workload
from mlstrata.components.workload.pods import Container
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.stages import Capability
from mlstrata.services.alerts.rules import service_rounds
from mlstrata.services.catalog.settings import Declared
from mlstrata.services.monitor.names import TOKEN
from mlstrata.services.monitor.rules import fairness_rules, monitoring_rules, promise_rules
from mlstrata.services.monitor.settings import ClusterMonitorSettings
from mlstrata.services.recording.names import STORE_ADDRESS

_CONFIG, _DATA = "/etc/mlstrata", "/data"
_DECLARED, _SETTINGS = "declared.json", "monitor.json"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""It adds up counts; threads of a library would only burn what they wait with."""


@dataclass(frozen=True)
class MonitorArgs:
    """Arguments of `Monitor`.

    Attributes:
        cluster: Where.
        spec: The environment whose systems it watches.
        database: The Postgres that has what is recorded.
        registry: Address of the registry, which says what is released and has the references of trainings.
        after: What must be there before it: the recorder, which makes the tables.
    """

    cluster: Cluster
    spec: EnvironmentSpec
    database: Server
    registry: str
    after: Sequence[pulumi.Resource] = ()


class Monitor(ClusterComponent):
    """Watches every system of an environment.

    Attributes:
        url: Its address inside the cluster.
    """

    def __init__(self, name: str, args: MonitorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitor", name, args.cluster, opts)
        cluster, space, after = args.cluster, args.cluster.namespace, list(args.after)
        self.needs(space, ACCESS, ACCESS_KEYS, "readers of the monitor's verdicts present it")
        told = ClusterMonitorSettings(
            port=PORT,
            home=Path(_DATA),
            declared=Path(_CONFIG) / _DECLARED,
            database=DATABASE,
            registry=args.registry,
        )
        # The service reads what is declared again by itself: another limit or system needs no restart.
        data = {_DECLARED: Declared.of(args.spec).text(), _SETTINGS: told.model_dump_json(indent=1) + "\n"}
        before = [
            self.add("settings", manifest("v1", "ConfigMap", NAME, space, data=data), after=after),
            self.add("data", volume(cluster, NAME, "1Gi"), after=after, keep=True),
        ]
        registry = registry_of(space)
        workload = Workload(
            NAME,
            WorkloadArgs(
                cluster=cluster,
                namespace=space,
                containers=[self._container(args)],
                part="monitor",
                volumes={
                    "settings": {"configMap": {"name": NAME}},
                    "data": {"persistentVolumeClaim": {"claimName": NAME}},
                    "tmp": {"emptyDir": {}},
                },
                callers=[pods(namespace=cluster.monitoring)],
                calls={
                    "database": (args.database.peers, [args.database.port]),
                    "registry": ([registry], [REGISTRY_PORT]),
                },
                metrics="/metrics",
                priority=priority(cluster, "platform"),
                labels={**USES_REGISTRY, "mlstrata.io/auth": "token"},
                annotations={"mlstrata.io/auth": "token"},
                # Two would judge each for itself, and its volume is one pod's at a time.
                strategy="Recreate",
                after=[*after, *before],
            ),
            self.child(),
        )
        if cluster.watched:
            owner = cluster.ownership.owner or UNOWNED
            self.add("rounds", rules_of(space, f"{NAME}-rounds", groups_of(service_rounds(NAME, owner))), after=after)
        self.url = workload.url
        self.register_outputs({})

    def _container(self, args: MonitorArgs) -> Container:
        plain, secret = client(args.registry)
        return Container(
            name=NAME,
            image=self.cluster.image("runtime"),
            command=["python", "-m", "mlstrata.services.monitor.cluster"],
            args=[f"--settings={_CONFIG}/{_SETTINGS}"],
            # A round asks again by itself; one that waited as a job does would keep all systems from being judged.
            env={**plain, PATIENCE: "0", **_ONE_THREAD},
            secrets={**secret, TOKEN: (ACCESS, "token"), STORE_ADDRESS: (args.database.secret, "uri")},
            ports={"http": PORT},
            ready="/healthz",
            mounts={"settings": _CONFIG, "data": _DATA, "tmp": "/tmp"},  # noqa: S108 - a folder of its own
            resources=self.cluster.size(NAME),
        )


@dataclass(frozen=True)
class WatchArgs:
    """Arguments of `Watch`.

    Attributes:
        cluster: Where.
        namespace: The system's.
        ownership: Whose it is.
        rules: The file of rules.
        after: What must be there before it.
    """

    cluster: Cluster
    namespace: str
    ownership: Ownership
    rules: str
    after: Sequence[pulumi.Resource] = ()


class Watch(ClusterComponent):
    """The rules about one system."""

    def __init__(self, name: str, args: WatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitor", name, args.cluster, opts, ownership=args.ownership)
        self.add("rules", rules_of(args.namespace, name, groups_of(args.rules)), after=args.after)
        self.register_outputs({})


def build(site: ClusterSite) -> MonitorOutputs:
    """Build the monitor of the environment, with the rules about each system that answers requests."""
    database, recording = site.require(DatabaseOutputs), site.require(RecordingOutputs)
    registry = site.require(ClusterRegistryOutputs)
    after = [*site.ready, *site.watched, *recording.ready, *registry.ready]
    args = MonitorArgs(site.cluster, site.spec, database.server, registry.uri, after)
    monitor = Monitor(NAME, args, site.opts)
    _watch(site, "monitor", monitoring_rules)
    return MonitorOutputs(monitor.url)


def fairness(site: ClusterSite) -> None:
    """Have differences between groups alerted on, of the systems that have groups."""
    _watch(site, "fairness", fairness_rules, lambda system: bool(system.model.protected))


def promises(site: ClusterSite) -> None:
    """Have a missed promise alerted on, where the monitor measures it."""
    if Capability.MONITORING in site.spec.capabilities:
        _watch(site, "promise", promise_rules)


def _watch(
    site: ClusterSite,
    kind: str,
    rules: Callable[[SystemSpec, str], str],
    wanted: Callable[[SystemSpec], bool] = lambda _: True,
) -> None:
    for system in site.realtime:
        if wanted(system) and site.cluster.watched:
            namespace, ownership = site.namespace_of(system), site.ownership_of(system)
            after = [*site.require(NamespacesOutputs).by_name[namespace].ready, *site.watched]
            args = WatchArgs(site.cluster, namespace, ownership, rules(system, ownership.owner), after)
            Watch(f"{kind}-{system.name}", args, site.systems[system.name].child())
