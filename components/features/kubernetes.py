"""The feature store on a cluster: Feast, over the platform's own Postgres, kept by its operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.cluster import Cluster, ClusterComponent
from components.database.args import Server
from components.network.policies import incoming, outgoing, pods
from components.storage.objects import ObjectStore

STORES = "feast-stores"
"""The secret with Feast's own settings of its stores: addresses with passwords."""
PORTS = (6566, 6570, 8815)
APP = {"feast.dev/name": "features"}


@dataclass(frozen=True)
class FeaturesArgs:
    """Arguments of `Features`.

    Attributes:
        cluster: Where.
        store: Where Feast's offline files lie.
        database: Its Postgres.
        after: What must be there before it: Feast's operator, the database.
    """

    cluster: Cluster
    store: ObjectStore
    database: Server
    after: Sequence[pulumi.Resource] = ()


class Features(ClusterComponent):
    """Features that teams share, the same in training and serving."""

    def __init__(self, name: str, args: FeaturesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("features", name, args.cluster, opts)
        space, cluster, after = args.cluster.namespace, args.cluster, list(args.after)
        self.needs(space, STORES, ("postgres", "sql"), "Feast's online store and registry, in Feast's own YAML")
        database, store = args.database, args.store
        openings = {
            "callers": incoming(
                f"{name}-callers", space, to=APP, ports=PORTS, peers=[pods(environment=cluster.environment)]
            ),
            "database": outgoing(f"{name}-database", space, of=APP, ports=[database.port], peers=database.peers),
            "store": outgoing(f"{name}-store", space, of=APP, ports=[store.port], peers=store.peers),
        }
        before = [self.add(role, policy, after=after) for role, policy in openings.items()]
        secret = {"name": STORES}
        spec = {
            "feastProject": cluster.environment.replace("-", "_"),
            "services": {
                "onlineStore": {"persistence": {"store": {"type": "postgres", "secretRef": secret}}},
                "registry": {"local": {"persistence": {"store": {"type": "sql", "secretRef": secret}}, "server": {}}},
            },
        }
        manifest = {
            "apiVersion": "feast.dev/v1",
            "kind": "FeatureStore",
            "metadata": {"name": "features", "namespace": space},
            "spec": spec,
        }
        self.add("", manifest, part="features", after=[*after, *before])
        self.register_outputs({})
