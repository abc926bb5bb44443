"""Postgres in the cluster, kept by CloudNativePG: two copies, and a password that the operator makes."""

from __future__ import annotations

from typing import Any

import pulumi

from mlstrata.components.backup.capability import NAME as BACKUP
from mlstrata.components.cluster import ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.database.args import METRICS, PORT, SECRET_KEYS, STATUS, DatabaseArgs, Server
from mlstrata.components.database.outputs import DatabaseOutputs
from mlstrata.components.features.kubernetes import APP as FEATURES
from mlstrata.components.manifests import manifest
from mlstrata.components.network_policies import ANYWHERE, Peer, incoming, outgoing, pods
from mlstrata.components.recording.names import DATABASE as RECORDED
from mlstrata.components.recording.names import STORE_CLIENTS
from mlstrata.components.registry.names import NAME as REGISTRY
from mlstrata.components.upstream.bill import piece

KIND = "postgresql.cnpg.io/v1"
OWNER = "mlflow"
_KEPT = {"key": "cnpg.io/cluster", "operator": "Exists"}
OTHERS = ("feast", RECORDED)
"""Databases beside the first one, there from the start: a later stage finds its own without changing the server."""


class Database(ClusterComponent):
    """A Postgres cluster for the platform's services.

    Attributes:
        ready: What its clients wait for.
        server: It, as its clients see it; the operator makes the secret.
    """

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("database", name, args.cluster, opts)
        self.args, self.space = args, args.cluster.namespace
        self.server = Server(
            f"{name}-rw", f"{name}-app", (pods(namespace=self.space, labels={"cnpg.io/cluster": name}),)
        )
        after = list(args.after)
        own = {"cnpg.io/cluster": name}
        operator, itself = pods(namespace=args.operators), pods(labels=own)
        callers = [*args.callers, operator, itself]
        monitor = pods(namespace=args.cluster.monitoring)
        openings = [
            self.add(
                "callers", incoming(f"{name}-callers", self.space, to=own, ports=[PORT], peers=callers), after=after
            ),
            self.add(
                "status",
                incoming(f"{name}-status", self.space, to=own, ports=[STATUS], peers=[operator, itself]),
                after=after,
            ),
            self.add(
                "scrapes",
                incoming(f"{name}-scrapes", self.space, to=own, ports=[METRICS], peers=[monitor]),
                after=after,
            ),
            # Its copies follow each other; the instance manager keeps its state in the API server.
            self.add(
                "copies",
                outgoing(f"{name}-copies", self.space, of=own, ports=[PORT, STATUS], peers=[itself]),
                after=after,
            ),
            self.add(
                "api", outgoing(f"{name}-api", self.space, of=own, ports=[443, 6443], peers=[ANYWHERE]), after=after
            ),
        ]
        if not args.shared:
            # The operator's namespace is as closed as this one: its way out, to every Postgres that it keeps.
            kept: Peer = {"namespaceSelector": {}, "podSelector": {"matchExpressions": [_KEPT]}}
            way = outgoing(f"{self.space}-{name}", args.operators, of={}, ports=[PORT, STATUS], peers=[kept])
            openings.append(self.add("operator", way, after=after))
        server = self.add("", self._server(), part="database", after=[*after, *openings], keep=True)
        self.ready: list[pulumi.Resource] = [server]
        scraped = {"podMetricsEndpoints": [{"port": "metrics", "interval": "30s"}], "selector": {"matchLabels": own}}
        monitor = manifest("monitoring.coreos.com/v1", "PodMonitor", name, self.space, spec=scraped)
        self.watch(monitor, after=after)
        for other in OTHERS:
            spec = {"cluster": {"name": name}, "name": other, "owner": OWNER, "databaseReclaimPolicy": "retain"}
            self.add(other, self._object("Database", f"{name}-{other}", spec), after=[server], keep=True)
        self.register_outputs({})

    def _object(self, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return manifest(KIND, kind, name, self.space, spec=spec)

    def _server(self) -> dict[str, Any]:
        args = self.args
        storage = {"size": args.size}
        if self.cluster.storage_class:
            storage["storageClass"] = self.cluster.storage_class
        spec = {
            "description": "Databases of the platform's own services.",
            "instances": self.cluster.sizes.copies,
            "imageName": self.cluster.image("postgres"),
            # A budget of a single copy would keep its node from ever being drained.
            "enablePDB": self.cluster.sizes.copies > 1,
            "enableSuperuserAccess": False,
            "bootstrap": {"initdb": {"database": OWNER, "owner": OWNER, "dataChecksums": True}},
            "storage": storage,
            "resources": self.cluster.size("database").manifest(),
            "priorityClassName": f"{self.cluster.namespace}-platform",
            "affinity": {"enablePodAntiAffinity": True, "topologyKey": "kubernetes.io/hostname"},
            "inheritedMetadata": {"labels": {"mlstrata.io/data-classification": "internal"}},
        }
        labels = {"mlstrata.io/data-classification": "internal"}
        return manifest(KIND, "Cluster", self.name, self.space, labels=labels, spec=spec)


def build(site: ClusterSite) -> DatabaseOutputs:
    """Build Postgres, unless the organisation or the cloud has brought its own."""
    if site.inputs.database is not None:
        server = site.inputs.database
        site.platform.needs(
            site.cluster.namespace, server.secret, SECRET_KEYS, f"the databases {', '.join((OWNER, *OTHERS))}"
        )
        return DatabaseOutputs(server)
    keeper = site.upstream("cloudnative-pg")
    operator = keeper.package
    after = [*keeper.ready, *site.ready, *site.watched]
    # All that a later stage or switch may bring, so that it changes nothing here.
    callers = [
        *(pods(labels={"app.kubernetes.io/name": one}) for one in (REGISTRY, BACKUP, *STORE_CLIENTS)),
        pods(namespace=piece("feast").namespace, labels=FEATURES),
    ]
    args = DatabaseArgs(site.cluster, callers, operator.namespace, shared=operator.exists, after=after)
    made = Database("database", args, site.opts)
    return DatabaseOutputs(made.server, made.ready)
