"""The recorder on a cluster: copies of a service that keep what was predicted in the platform's Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent, Ownership
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.database.args import Server
from mlstrata.components.database.outputs import DatabaseOutputs
from mlstrata.components.governance.part import Part, PartArgs
from mlstrata.components.manifests import manifest
from mlstrata.components.monitoring.kubernetes import groups_of, rules_of
from mlstrata.components.namespaces.outputs import NamespacesOutputs
from mlstrata.components.network_policies import pods
from mlstrata.components.platform.kubernetes import priority
from mlstrata.components.recording.names import (
    ACCESS,
    ACCESS_KEYS,
    APPEND,
    APPEND_KEYS,
    DATABASE,
    NAME,
    PORT,
    RECORDS,
)
from mlstrata.components.recording.outputs import RecordingOutputs
from mlstrata.components.site import UNOWNED
from mlstrata.components.workload.args import WorkloadArgs
from mlstrata.components.workload.kubernetes import Workload
from mlstrata.components.workload.pods import Container
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.alerts.rules import recorder_rules, rounds_rules
from mlstrata.services.recording.names import APPEND_TOKEN, PROTECTED_SCHEMA, PRUNED, STORE_ADDRESS, TOKEN
from mlstrata.services.recording.settings import ClusterRecorderSettings, recorded

_DAY = 86_400
_CONFIG, _FILE = "/etc/mlstrata", "recorder.json"


@dataclass(frozen=True)
class RecorderArgs:
    """Arguments of `Recorder`.

    Attributes:
        cluster: Where.
        spec: The environment, whose systems it records.
        database: The Postgres that keeps it.
        after: What must be there before it.
    """

    cluster: Cluster
    spec: EnvironmentSpec
    database: Server
    after: Sequence[pulumi.Resource] = ()


class Recorder(ClusterComponent):
    """Keeps each prediction, and what becomes known of it.

    Attributes:
        url: Its address inside the cluster.
        ready: What sends to it waits for.
    """

    def __init__(self, name: str, args: RecorderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        kept = args.spec.retention.predictions.total_seconds()
        super().__init__("recording", name, args.cluster, opts, kept_days=kept / _DAY)
        cluster, space, after = args.cluster, args.cluster.namespace, list(args.after)
        self.needs(space, ACCESS, ACCESS_KEYS, "readers of what is recorded present it")
        self.needs(space, APPEND, APPEND_KEYS, "what predicts presents its token")
        told = ClusterRecorderSettings(port=PORT, database=DATABASE, predictions=kept, systems=recorded(args.spec))
        settings = manifest("v1", "ConfigMap", NAME, space, data={_FILE: told.model_dump_json(indent=1) + "\n"})
        before = self.add("settings", settings, after=after)
        workload = Workload(
            NAME,
            WorkloadArgs(
                cluster=cluster,
                namespace=space,
                containers=[self._container(args.database)],
                part="recorder",
                replicas=cluster.sizes.copies,
                volumes={"settings": {"configMap": {"name": NAME}}, "tmp": {"emptyDir": {}}},
                # What predicts may append. Nothing in the cluster reads by this way: the monitor asks the database.
                callers=[pods(environment=cluster.environment, labels=RECORDS), pods(namespace=cluster.monitoring)],
                calls={"database": (args.database.peers, [args.database.port])},
                metrics="/metrics",
                priority=priority(cluster, "platform"),
                labels={"mlstrata.io/auth": "token"},
                annotations={"mlstrata.io/auth": "token"},
                after=[*after, before],
            ),
            self.child(),
        )
        if cluster.watched:
            owner = cluster.ownership.owner or UNOWNED
            rounds = [one for one in rounds_rules(NAME, owner) if PRUNED in one["expr"]]
            groups = [{"name": f"{NAME}-rounds", "rules": rounds}]
            self.add("rounds", rules_of(space, f"{NAME}-rounds", groups), after=after)
        Part("protected-attributes", PartArgs("protected", f"schema {PROTECTED_SCHEMA} of {DATABASE}"), self.child())
        self.url = workload.url
        self.ready: list[pulumi.Resource] = [workload.deployment]
        self.register_outputs({})

    def _container(self, database: Server) -> Container:
        return Container(
            name=NAME,
            image=self.cluster.image("runtime"),
            command=["python", "-m", "mlstrata.services.recording.cluster"],
            args=[f"--settings={_CONFIG}/{_FILE}"],
            secrets={
                TOKEN: (ACCESS, "token"),
                APPEND_TOKEN: (APPEND, "token"),
                STORE_ADDRESS: (database.secret, "uri"),
            },
            ports={"http": PORT},
            ready="/healthz",
            # While its database is away it is not ready; ending it would not bring the database back.
            alive="/alive",
            mounts={"settings": _CONFIG, "tmp": "/tmp"},  # noqa: S108 - a folder of the container's own
            resources=self.cluster.size(NAME),
        )


@dataclass(frozen=True)
class RecordingArgs:
    """Arguments of `Recording`.

    Attributes:
        cluster: Where.
        namespace: The system's.
        ownership: Whose it is.
        system: The system.
        after: What must be there before it.
    """

    cluster: Cluster
    namespace: str
    ownership: Ownership
    system: SystemSpec
    after: Sequence[pulumi.Resource] = ()


class Recording(ClusterComponent):
    """That the predictions of one AI system are recorded, and that somebody is told where they are not."""

    def __init__(self, name: str, args: RecordingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        facts = args.system.recording.model_dump(mode="json", exclude_none=True)
        super().__init__("recording", name, args.cluster, opts, ownership=args.ownership, **facts)
        if self.cluster.watched:
            told = recorder_rules({args.system.name: args.ownership.owner}, compared=False)
            self.add("rules", rules_of(args.namespace, name, groups_of(told)), after=args.after)
        self.register_outputs({})


def build(site: ClusterSite) -> RecordingOutputs:
    """Build the recorder of the environment, and the recording of every system that answers requests."""
    database = site.require(DatabaseOutputs)
    after = [*site.ready, *site.watched, *database.ready]
    recorder = Recorder(NAME, RecorderArgs(site.cluster, site.spec, database.server, after), site.opts)
    for system in site.realtime:
        namespace = site.namespace_of(system)
        made = site.require(NamespacesOutputs).by_name[namespace].ready
        args = RecordingArgs(site.cluster, namespace, site.ownership_of(system), system, [*made, *site.watched])
        Recording(f"recording-{system.name}", args, site.systems[system.name].child())
    return RecordingOutputs(recorder.url, recorder.ready)
