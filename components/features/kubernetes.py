"""The feature store on a cluster: Feast, over the platform's own Postgres, kept by its operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pulumi

from mlstrata.components.cluster import PREFIX, Cluster, ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.database.args import Server
from mlstrata.components.database.outputs import DatabaseOutputs
from mlstrata.components.manifests import manifest
from mlstrata.components.network_policies import Peer, incoming, outgoing, pods
from mlstrata.components.storage.objects import ObjectStore
from mlstrata.components.storage.outputs import ClusterStorageOutputs
from mlstrata.components.upstream.bill import piece
from mlstrata.components.workload.pods import account
from mlstrata.environments.spec.quantities import format_duration
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.stages import Capability

STORES = "feast-stores"
"""The secret with Feast's own settings of its stores: addresses with passwords."""
PORTS = (6566, 6570, 8815)
NAME = "features"
APP = {"feast.dev/name": NAME}
FOLDER = "features"
"""The folder of the bucket with what features are computed from: all of it that its pods read."""
ACCOUNT = f"feast-{NAME}"
"""Its pods' account, as the operator calls it: what is there already it takes, and leaves its annotations alone."""


@dataclass(frozen=True)
class FeaturesArgs:
    """Arguments of `Features`.

    Attributes:
        cluster: Where.
        namespace: Feast's own: the pods that its operator makes do not meet the standard of the platform's.
        store: Where Feast's offline files lie, in `FOLDER`; with a role that reads those alone, or with keys.
        database: Its Postgres.
        online: Where its values lie in memory; None: in Postgres.
        holds: How long a value holds after it was computed.
        after: What must be there before it: Feast's operator, the database.
    """

    cluster: Cluster
    namespace: str
    store: ObjectStore
    database: Server
    holds: timedelta
    online: Server | None = None
    after: Sequence[pulumi.Resource] = ()


class Features(ClusterComponent):
    """Features that teams share, the same in training and serving."""

    def __init__(self, name: str, args: FeaturesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("features", name, args.cluster, opts)
        space, cluster, after = args.namespace, args.cluster, list(args.after)
        kind = "redis" if args.online else "postgres"
        self.needs(space, STORES, (kind, "sql"), "Feast's online store and registry, in Feast's own YAML")
        database, store = args.database, args.store
        store.read_by(self, space, "the offline files of features")
        openings = {
            "callers": incoming(
                f"{name}-callers", space, to=APP, ports=PORTS, peers=[pods(environment=cluster.environment)]
            ),
            "database": outgoing(f"{name}-database", space, of=APP, ports=[database.port], peers=database.peers),
            "store": outgoing(f"{name}-store", space, of=APP, ports=[store.port], peers=store.peers),
        }
        if (online := args.online) is not None:
            openings["online"] = outgoing(f"{name}-online", space, of=APP, ports=[online.port], peers=online.peers)
        before = [self.add(role, policy, after=after) for role, policy in openings.items()]
        own = account(manifest("v1", "ServiceAccount", ACCOUNT, space), store.identity())
        # The operator gives it labels of its own in place of these.
        before.append(self.add("account", own, after=after, ignore=["metadata.labels"]))
        secret = {"name": STORES}
        # Values are computed, and sent to the online store, in the container that serves them.
        env: list[dict[str, Any]] = [{"name": one, "value": value} for one, value in sorted(store.variables().items())]
        env += [
            {"name": one, "valueFrom": {"secretKeyRef": {"name": named, "key": key}}}
            for one, (named, key) in sorted(store.credentials().items())
        ]
        spec = {
            "feastProject": cluster.environment.replace("-", "_"),
            "services": {
                "onlineStore": {
                    "server": {"env": env},
                    "persistence": {"store": {"type": kind, "secretRef": secret}},
                },
                "registry": {"local": {"persistence": {"store": {"type": "sql", "secretRef": secret}}, "server": {}}},
            },
        }
        labels = {f"{PREFIX}/ttl": format_duration(args.holds)}
        made = manifest("feast.dev/v1", "FeatureStore", NAME, space, labels=labels, spec=spec)
        self.add("", made, part="features", after=[*after, *before])
        self.register_outputs({})


def build(site: ClusterSite) -> None:
    """Build the feature store over the platform's database and bucket."""
    database, storage = site.require(DatabaseOutputs), site.find(ClusterStorageOutputs)
    feast = site.upstream("feast")
    after = [*site.ready, *database.ready, *(storage.ready if storage else ()), *feast.ready]
    store, holds = site.inputs.features or site.inputs.store, site.spec.retention.features
    args = FeaturesArgs(site.cluster, feast.package.namespace, store, database.server, holds, site.inputs.online, after)
    Features("features", args, site.opts)


def servers_for(site: ClusterSite, system: SystemSpec) -> Sequence[Peer]:
    """Return the feature store's pods, for a system whose model takes features from it."""
    if system.model.features is None or Capability.FEATURE_STORE not in site.spec.capabilities:
        return ()
    return (pods(namespace=piece("feast").namespace, labels=APP),)
