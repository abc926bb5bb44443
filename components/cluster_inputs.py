"""What the platform of an environment on a cluster stands on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from mlstrata.components.cluster import Dns
from mlstrata.components.database.args import Server
from mlstrata.components.gpu.args import AwsNodes
from mlstrata.components.storage.objects import ObjectStore


@dataclass(frozen=True)
class ClusterInputs:
    """What there is before the platform: given by its file, or by its cloud's substrate.

    Attributes:
        context: The kubeconfig's context, or the cluster's name in its cloud.
        namespace: Of the platform, and prefix of the others.
        storage_class: Class of volumes; None: the cluster's default one.
        store: The bucket; with nothing named, one in a store of the cluster's own.
        database: Postgres; None: one is made in the cluster.
        provider: Makes the one provider of it all.
        features: The bucket as the feature store may read it; None: as everything else.
        online: Where the feature store keeps its values in memory; None: in Postgres.
        balancer: What of the gateway's service is the cloud's; empty: nothing.
        dns: Where pods ask for names.
        fixed_users: Pods say which user they run as.
        nodes: What the nodes of GPU pools are made from; None: they are there already.
        kept: Pools whose smallest number of nodes the cloud keeps.
        values: Values of upstream packages' charts that are the cloud's, by package.
        ground: What policies and evidence are told of what it stands on.
        secrets_region: Region of the account whose secrets are taken; empty: the organisation has a store of its own.
    """

    context: str
    namespace: str
    storage_class: str | None
    store: ObjectStore
    database: Server | None
    provider: Callable[[], pulumi.ProviderResource]
    features: ObjectStore | None = None
    online: Server | None = None
    balancer: Mapping[str, Any] = field(default_factory=dict)
    dns: Dns = field(default_factory=Dns)
    fixed_users: bool = True
    nodes: AwsNodes | None = None
    kept: Collection[str] = ()
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ground: Mapping[str, Any] = field(default_factory=dict)
    secrets_region: str = ""
