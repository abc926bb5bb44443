"""A store of objects in the cluster, where the organisation has none: SeaweedFS with its S3 interface."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.manifests import claim, manifest
from mlstrata.components.network_policies import incoming, outgoing, pods
from mlstrata.components.platform.kubernetes import priority
from mlstrata.components.storage.objects import ObjectStore
from mlstrata.components.storage.outputs import ClusterStorageOutputs
from mlstrata.components.workload.pods import Container, account, pod
from mlstrata.environments.spec.storage import S3Storage

NAME = "object-store"
S3, METRICS = 8333, 9327
ROOT = "/data"


@dataclass(frozen=True)
class StoreArgs:
    """Arguments of `Store`.

    Attributes:
        cluster: Where.
        bucket: The bucket that is made in it.
        versioning: Overwritten objects are kept.
        size: Of its volume.
        after: What must be there before it.
    """

    cluster: Cluster
    bucket: str
    versioning: bool = True
    size: str = "100Gi"
    after: Sequence[pulumi.Resource] = ()


def store_in(namespace: str, bucket: str) -> ObjectStore:
    """Return the store of a platform's namespace as its clients see it."""
    itself = pods(namespace=namespace, labels={"app.kubernetes.io/name": NAME})
    return ObjectStore(bucket, f"http://{NAME}.{namespace}.svc:{S3}", "us-east-1", peers=(itself,))


class Store(ClusterComponent):
    """One server on a volume that stays, and its bucket.

    Its keys are in the secret that every client reads: whoever has them may do everything in it.

    Attributes:
        ready: What its clients wait for.
    """

    def __init__(self, name: str, args: StoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("storage", name, args.cluster, opts)
        self.args, self.space = args, args.cluster.namespace
        self.store = store_in(self.space, args.bucket)
        self.app = {"app.kubernetes.io/name": NAME}
        self.maker = {"app.kubernetes.io/name": f"{NAME}-bucket"}
        self.store.read_by(self, self.space, "the object store itself, which knows its users by it")
        after = list(args.after)
        callers = [pods(environment=self.cluster.environment)]
        monitor = pods(namespace=self.cluster.monitoring)
        way = outgoing(f"{NAME}-bucket", self.space, of=self.maker, ports=[S3], peers=[pods(labels=self.app)])
        before = [
            self.add("account", account(self._object("v1", "ServiceAccount"), {}, self.pulls(self.space)), after=after),
            self.add(
                "callers", incoming(f"{NAME}-callers", self.space, to=self.app, ports=[S3], peers=callers), after=after
            ),
            self.add(
                "scrapes",
                incoming(f"{NAME}-scrapes", self.space, to=self.app, ports=[METRICS], peers=[monitor]),
                after=after,
            ),
            self.add("way", way, after=after),
        ]
        # Beside the service, not after it: Pulumi has a service wait for the pods behind it.
        server = self.add("", self._server(), part="artifacts", after=before, keep=True)
        service = self.add("service", self._service(), after=after)
        self.add("budget", self._budget(), after=after)
        self.watch(self._monitor(), after=after)
        bucket = self.add("bucket", self._maker(), after=[server, service])
        self.ready: list[pulumi.Resource] = [bucket]
        self.register_outputs({})

    def _object(self, version: str, kind: str, spec: dict[str, Any] | None = None) -> dict[str, Any]:
        return manifest(version, kind, NAME, self.space, labels=self.app, **({"spec": spec} if spec else {}))

    def _service(self) -> dict[str, Any]:
        ports = [
            {"name": name, "port": number, "targetPort": name, "protocol": "TCP"}
            for name, number in (("s3", S3), ("metrics", METRICS))
        ]
        return self._object("v1", "Service", {"ports": ports, "selector": self.app, "type": "ClusterIP"})

    def _server(self) -> dict[str, Any]:
        container = Container(
            name="seaweedfs",
            image=self.cluster.image("seaweedfs"),
            command=["weed"],
            args=[
                "server",
                f"-dir={ROOT}",
                # It speaks with itself on its loopback; its S3 interface is what others reach.
                *("-ip=127.0.0.1", "-ip.bind=0.0.0.0", f"-metricsPort={METRICS}"),
                *("-master.volumeSizeLimitMB=1024", "-volume.max=0", "-filer", "-s3", f"-s3.port={S3}"),
            ],
            # With its keys as variables it has one user, and a file of users nowhere.
            secrets=self.store.credentials(),
            ports={"s3": S3, "metrics": METRICS},
            ready="/healthz",
            mounts={"data": ROOT, "tmp": "/tmp"},  # noqa: S108 - a folder of the container's own
            resources=self.cluster.size("object_store"),
        )
        spec = pod(
            [container],
            account=NAME,
            volumes={"tmp": {"emptyDir": {}}},
            priority=priority(self.cluster, "platform"),
        )
        classified = {"mlstrata.io/data-classification": "personal"}
        labels = self.labelled(self._object("apps/v1", "StatefulSet"), "artifacts")["metadata"]["labels"]
        made = self._object(
            "apps/v1",
            "StatefulSet",
            {
                "replicas": 1,
                "serviceName": NAME,
                "selector": {"matchLabels": self.app},
                "template": {"metadata": {"labels": {**labels, **classified}}, "spec": spec},
                "volumeClaimTemplates": [
                    {"metadata": {"name": "data", "labels": classified}, "spec": claim(self.cluster, self.args.size)}
                ],
                # Neither a smaller number of servers nor none takes the data along.
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            },
        )
        made["metadata"] = {**made["metadata"], "labels": {**self.app, **classified}}
        return made

    def _maker(self) -> dict[str, Any]:
        arguments = [f"--bucket={self.args.bucket}", *(["--versioning"] if self.args.versioning else [])]
        container = Container(
            name="bucket",
            image=self.cluster.image("runtime"),
            command=["python", "-m", "mlstrata.services.storage.bucket"],
            args=arguments,
            env=self.store.variables(),
            secrets=self.store.credentials(),
            mounts={"tmp": "/tmp"},  # noqa: S108 - a folder of the container's own
            resources=self.cluster.size("jobs"),
        )
        spec = pod(
            [container],
            account=NAME,
            volumes={"tmp": {"emptyDir": {}}},
            priority=priority(self.cluster, "platform"),
            restart="OnFailure",
        )
        metadata = {"namespace": self.space, "labels": self.maker}
        labels = self.labelled({"metadata": metadata})["metadata"]["labels"]
        template = {"metadata": {"labels": labels}, "spec": spec}
        # A job cannot be changed: another image or bucket is another job, whoever applies it.
        content = sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:8]
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {**metadata, "name": f"{NAME}-bucket-{content}"},
            "spec": {"backoffLimit": 10, "activeDeadlineSeconds": 1800, "template": template},
        }

    def _budget(self) -> dict[str, Any]:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": self.app}}
        return self._object("policy/v1", "PodDisruptionBudget", spec)

    def _monitor(self) -> dict[str, Any]:
        endpoint = {"port": "metrics", "path": "/metrics", "interval": "30s"}
        spec = {"endpoints": [endpoint], "selector": {"matchLabels": self.app}}
        return self._object("monitoring.coreos.com/v1", "ServiceMonitor", spec)


def build(site: ClusterSite) -> ClusterStorageOutputs:
    """Build a store of the cluster's own."""
    storage = site.spec.storage
    assert isinstance(storage, S3Storage)  # noqa: S101 - the file's own check refuses another
    after = [*site.ready, *site.watched]
    args = StoreArgs(site.cluster, site.inputs.store.bucket, storage.versioning, after=after)
    return ClusterStorageOutputs(Store("storage", args, site.opts).ready)
