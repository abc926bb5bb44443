"""The catalog on a cluster: pages and an API over what is declared, registered and released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.components.catalog.outputs import CatalogOutputs
from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.manifests import manifest, volume
from mlstrata.components.network_policies import pods
from mlstrata.components.platform.kubernetes import priority
from mlstrata.components.registry.kubernetes import USES_REGISTRY, client, registry_of
from mlstrata.components.registry.names import PORT as REGISTRY_PORT
from mlstrata.components.registry.outputs import ClusterRegistryOutputs
from mlstrata.components.workload.args import WorkloadArgs
from mlstrata.components.workload.kubernetes import Workload
from mlstrata.components.workload.pods import Container
from mlstrata.environments import EnvironmentSpec
from mlstrata.services.catalog.cluster import TOKEN
from mlstrata.services.catalog.settings import Declared

PORT = 8090
NAME = "catalog"
ACCESS = "catalog-access"
_DECLARED, _DATA = "/etc/mlstrata", "/data"


@dataclass(frozen=True)
class CatalogArgs:
    """Arguments of `Catalog`.

    Attributes:
        cluster: Where.
        spec: The environment that it shows.
        registry: Address of the registry, which it asks for versions and what is released.
        after: What must be there before it.
    """

    cluster: Cluster
    spec: EnvironmentSpec
    registry: str
    after: Sequence[pulumi.Resource] = ()


class Catalog(ClusterComponent):
    """Shows data, features, models and systems, and takes lineage events of jobs.

    Attributes:
        url: Its address inside the cluster.
    """

    def __init__(self, name: str, args: CatalogArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("catalog", name, args.cluster, opts)
        cluster, space, after = args.cluster, args.cluster.namespace, list(args.after)
        self.needs(space, ACCESS, ("token",), "readers of the catalog present it")
        declared = {"declared.json": Declared.of(args.spec).text()}
        settings = manifest("v1", "ConfigMap", NAME, space, data=declared)
        before = [
            self.add("declared", settings, after=after),
            self.add("data", volume(cluster, NAME, "1Gi"), after=after, keep=True),
        ]
        plain, secret = client(args.registry)
        container = Container(
            name=NAME,
            image=cluster.image("runtime"),
            command=["python", "-m", "mlstrata.services.catalog.cluster"],
            args=[
                f"--port={PORT}",
                f"--declared={_DECLARED}/declared.json",
                f"--data={_DATA}",
                f"--registry={args.registry}",
            ],
            env=plain,
            secrets={**secret, TOKEN: (ACCESS, "token")},
            ports={"http": PORT},
            ready="/healthz",
            mounts={"declared": _DECLARED, "data": _DATA, "tmp": "/tmp"},  # noqa: S108 - a folder of its own
            resources=self.cluster.size("catalog"),
        )
        registry = registry_of(space)
        workload = Workload(
            NAME,
            WorkloadArgs(
                cluster=cluster,
                namespace=space,
                containers=[container],
                part="catalog",
                volumes={
                    "declared": {"configMap": {"name": NAME}},
                    "data": {"persistentVolumeClaim": {"claimName": NAME}},
                    "tmp": {"emptyDir": {}},
                },
                callers=[pods(environment=cluster.environment), pods(namespace=cluster.monitoring)],
                calls={"registry": ([registry], [REGISTRY_PORT])},
                metrics="/metrics",
                priority=priority(cluster, "platform"),
                labels={**USES_REGISTRY, "mlstrata.io/auth": "token"},
                annotations={"mlstrata.io/auth": "token"},
                # Its volume is one pod's at a time.
                strategy="Recreate",
                after=[*after, *before],
            ),
            self.child(),
        )
        self.url = workload.url
        self.register_outputs({})


def build(site: ClusterSite) -> CatalogOutputs:
    """Build the catalog of the environment."""
    registry = site.require(ClusterRegistryOutputs)
    after = [*site.ready, *site.watched, *registry.ready]
    return CatalogOutputs(Catalog("catalog", CatalogArgs(site.cluster, site.spec, registry.uri, after), site.opts).url)
