"""MLflow on a cluster: its database in Postgres, its files in a bucket, a password at its door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.clients.mlflow.access import SEAL
from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.database.args import Server
from mlstrata.components.database.outputs import DatabaseOutputs
from mlstrata.components.manifests import rights
from mlstrata.components.network_policies import Peer, pods
from mlstrata.components.platform.kubernetes import priority
from mlstrata.components.registry import people
from mlstrata.components.registry.names import ACCESS, NAME, POD, PORT
from mlstrata.components.registry.outputs import ClusterRegistryOutputs
from mlstrata.components.storage.objects import ObjectStore
from mlstrata.components.storage.outputs import ClusterStorageOutputs
from mlstrata.components.workload.args import WorkloadArgs
from mlstrata.components.workload.kubernetes import Workload
from mlstrata.components.workload.pods import Container

ACCESS_KEYS = ("password",)
CALLERS = "registry-callers"
"""The Role of whoever asks the registry from another machine."""
USES_REGISTRY = {"mlstrata.io/uses-registry": "true"}
"""Label of pods that may reach the registry."""


def registry_of(namespace: str) -> Peer:
    """Return the registry's pod, for the way of others to it."""
    return pods(namespace=namespace, labels={"app.kubernetes.io/name": NAME})


@dataclass(frozen=True)
class RegistryArgs:
    """Arguments of `Registry`.

    Attributes:
        cluster: Where.
        store: Where models and other artifacts lie.
        database: Its Postgres.
        asking: Who may ask it from outside of the cluster: subjects of a role.
        after: What must be there before it: the database, the definitions of what scrapes it.
    """

    cluster: Cluster
    store: ObjectStore
    database: Server
    asking: Sequence[dict[str, str]] = ()
    after: Sequence[pulumi.Resource] = ()


class Registry(ClusterComponent):
    """Tracking, and the numbered versions of models.

    Attributes:
        uri: Its address inside the cluster.
        ready: What its clients wait for.
    """

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("registry", name, args.cluster, opts)
        cluster, space = args.cluster, args.cluster.namespace
        self.needs(space, ACCESS, ACCESS_KEYS, "the password at the registry's door", optional=(SEAL,))
        args.store.read_by(self, space, "the bucket of models and other artifacts")
        workload = Workload(
            NAME,
            WorkloadArgs(
                cluster=cluster,
                namespace=space,
                containers=[self._server(args)],
                part="registry",
                volumes={"metrics": {"emptyDir": {}}, "tmp": {"emptyDir": {}}},
                callers=[
                    pods(environment=cluster.environment, labels=USES_REGISTRY),
                    pods(namespace=cluster.monitoring),
                ],
                calls={
                    "database": (args.database.peers, [args.database.port]),
                    "store": (args.store.peers, [args.store.port]),
                },
                metrics="/metrics",
                priority=priority(cluster, "platform"),
                labels={"mlstrata.io/auth": "password"},
                annotations={"mlstrata.io/auth": "password"},
                identity=args.store.identity(),
                # Two servers must not change the tables at once; who releases reaches this one pod by its name.
                named=True,
                after=args.after,
            ),
            self.child(),
        )
        if args.asking:
            self._reached_by(args.asking, space, args.after)
        self.uri = workload.url
        self.ready: list[pulumi.Resource] = [workload.deployment]
        self.register_outputs({})

    def _reached_by(self, subjects: Sequence[dict[str, str]], space: str, after: Sequence[pulumi.Resource]) -> None:
        """Let people on another machine forward a port to this one pod, and read the password at its door."""
        rules = [
            people.rule("pods", [POD], ["get"]),
            # kubectl opens it by a POST, or since 1.31 by the GET of a web socket.
            people.rule("pods/portforward", [POD], ["create", "get"]),
            people.rule("secrets", [ACCESS], ["get"]),
        ]
        role, binding = rights(CALLERS, space, rules, list(subjects))
        self.add("callers", binding, after=[self.add("reached", role, after=after)])

    def _server(self, args: RegistryArgs) -> Container:
        return Container(
            name=NAME,
            image=self.cluster.image("runtime"),
            command=["python", "-m", "mlstrata.services.registry.cluster"],
            args=[
                f"--port={PORT}",
                f"--artifacts-destination={args.store.url('mlflow')}",
                f"--hosts={','.join(names(args.cluster.namespace))}",
                "--metrics=/metrics",
            ],
            env={
                **args.store.variables(),
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            secrets={
                **args.store.credentials(),
                "MLFLOW_BACKEND_STORE_URI": (args.database.secret, "uri"),
                "MLFLOW_TRACKING_PASSWORD": (ACCESS, "password"),
            },
            ports={"http": PORT},
            ready="/health",
            # While its database is away it is not ready; ending it would not bring the database back.
            alive="/alive",
            # Tables of an older MLflow are brought up to date before it answers, and must not be cut off half way.
            starts_s=3600,
            mounts={"metrics": "/metrics", "tmp": "/tmp"},  # noqa: S108 - a folder of the container's own
            resources=self.cluster.size("registry"),
        )


def names(namespace: str) -> list[str]:
    """Return the names by which a cluster's pods ask the registry."""
    full = f"{NAME}.{namespace}"
    return [NAME, full, f"{full}.svc", f"{full}.svc.cluster.local"]


def client(uri: str) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Return the variables of a container that asks the registry: the plain ones, and those from secrets."""
    from mlstrata.clients.mlflow.access import PATIENT, USER

    plain = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_TRACKING_USERNAME": USER, **PATIENT}
    return plain, {"MLFLOW_TRACKING_PASSWORD": (ACCESS, "password")}


def build(site: ClusterSite) -> ClusterRegistryOutputs:
    """Build the registry over the platform's database and bucket."""
    database, storage = site.require(DatabaseOutputs), site.find(ClusterStorageOutputs)
    after = [*site.ready, *site.watched, *database.ready, *(storage.ready if storage else ())]
    asking = [
        one
        for system in site.spec.systems
        for one in people.releasers(site.spec.name, system.name, site.namespace_of(system))
    ]
    args = RegistryArgs(site.cluster, site.inputs.store, database.server, asking, after)
    registry = Registry("registry", args, site.opts)
    return ClusterRegistryOutputs(registry.uri, registry.ready)
