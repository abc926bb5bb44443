"""Copies of what cannot be made again, each night: the databases, into the bucket, tried by reading them back.

And, where the bucket is the cluster's own, all of its objects, onto a volume beside it. Elsewhere they are kept by the
service that has them: it has more than one disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from mlstrata.components.backup.capability import NAME
from mlstrata.components.cluster import PREFIX, Cluster, ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.database.args import Server
from mlstrata.components.database.kubernetes import OTHERS, OWNER
from mlstrata.components.database.outputs import DatabaseOutputs
from mlstrata.components.manifests import claim, manifest
from mlstrata.components.network_policies import outgoing
from mlstrata.components.platform.kubernetes import priority
from mlstrata.components.registry.job import NEVER
from mlstrata.components.storage.objects import ObjectStore
from mlstrata.components.storage.outputs import ClusterStorageOutputs
from mlstrata.components.workload.pods import Container, account, pod
from mlstrata.environments.spec.storage import S3Storage
from mlstrata.services.backup.postgres import DUMP, RESTORE

NIGHTLY = "17 1 * * *"
"""At night in UTC, and not on the hour, when everybody's jobs start."""
FOLDER, COPIES = "/work", "/copies"
LONGEST_S = 6 * 3600
"""A first night copies all objects, and one that is cut off goes on the next night."""
KEPT = 14
"""Copies that are kept: two weeks, in which somebody notices."""


@dataclass(frozen=True)
class BackupArgs:
    """Arguments of `Backup`.

    Attributes:
        cluster: Where.
        store: Where the copies lie.
        database: The Postgres whose databases are copied.
        own: The store is the cluster's own, so its objects are copied too.
        key: Name of the organisation's own key that encrypts the storage, the volumes of its class too; empty: none.
        versioning: Of the bucket, where a restore makes it again: overwritten objects are kept.
        size: Of the volume with the copies of the objects.
        after: What must be there before it.
    """

    cluster: Cluster
    store: ObjectStore
    database: Server
    own: bool = False
    key: str = ""
    versioning: bool = True
    size: str = "100Gi"
    after: Sequence[pulumi.Resource] = ()


class Backup(ClusterComponent):
    """A job a night: it dumps the databases, reads the dumps back, puts them into the bucket, and copies the bucket."""

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("backup", name, args.cluster, opts)
        self.args, self.space = args, args.cluster.namespace
        self.app = {"app.kubernetes.io/name": name}
        args.store.read_by(self, self.space, "the bucket of backups")
        after = list(args.after)
        server, store = args.database, args.store
        before = [
            self.add(
                "account",
                account(self._object("v1", "ServiceAccount"), store.identity(), self.pulls(self.space)),
                after=after,
            ),
            self.add(
                "database",
                outgoing(f"{name}-database", self.space, of=self.app, ports=[server.port], peers=server.peers),
                after=after,
            ),
            self.add(
                "store",
                outgoing(f"{name}-store", self.space, of=self.app, ports=[store.port], peers=store.peers),
                after=after,
            ),
        ]
        if args.own:
            before.append(self.add("objects", self._claim(), after=after, keep=True))
        self.add("", self._job(name, NIGHTLY, self._copying()), part="backup", after=before)
        # Suspended: `kubectl create job --from=cronjob/backup-restore` starts it, and nothing else does.
        restore = self._job(f"{name}-restore", NEVER, self._restoring(), suspend=True)
        self.add("restore", restore, part="backup", after=before)
        if args.own:
            back = [self._objects("objects", "--restore=newest", *(["--versioning"] if args.versioning else []))]
            objects = self._job(f"{name}-restore-objects", NEVER, back, suspend=True)
            self.add("restore-objects", objects, part="backup", after=before)
        self.register_outputs({})

    def _object(self, version: str, kind: str, spec: dict[str, Any] | None = None) -> dict[str, Any]:
        rest = {"spec": spec} if spec else {}
        return manifest(version, kind, self.name, self.space, labels=self.app, **rest)

    def _postgres(self, name: str, script: str) -> Container:
        args = self.args
        return Container(
            name=name,
            image=self.cluster.image("postgres"),
            command=["bash", "-euo", "pipefail", "-c"],
            args=[script],
            env={
                "PGHOST": args.database.host,
                "PGPORT": str(args.database.port),
                "DATABASES": " ".join((OWNER, *OTHERS)),
                "FOLDER": FOLDER,
            },
            secrets={"PGUSER": (args.database.secret, "username"), "PGPASSWORD": (args.database.secret, "password")},
            mounts={"work": FOLDER},
            resources=self.cluster.size("jobs"),
        )

    def _bucket(self, name: str, *arguments: str) -> Container:
        to = f"--to={self.args.store.url('backups/database')}"
        return self._copier(name, "mlstrata.services.backup", {"work": FOLDER}, [f"--folder={FOLDER}", to, *arguments])

    def _objects(self, name: str, *arguments: str) -> Container:
        own = [f"--bucket={self.args.store.bucket}", f"--folder={COPIES}", *arguments]
        return self._copier(name, "mlstrata.services.backup.objects", {"copies": COPIES}, own)

    def _copier(self, name: str, module: str, mounts: dict[str, str], arguments: list[str]) -> Container:
        store = self.args.store
        return Container(
            name=name,
            image=self.cluster.image("runtime"),
            command=["python", "-m", module],
            args=arguments,
            env=store.variables(),
            secrets=store.credentials(),
            mounts={**mounts, "tmp": "/tmp"},  # noqa: S108 - a folder of the container's own
            resources=self.cluster.size("jobs"),
        )

    def _claim(self) -> dict[str, Any]:
        made = self._object("v1", "PersistentVolumeClaim", claim(self.cluster, self.args.size))
        labels = {**self.app, f"{PREFIX}/data-classification": "personal"}
        # An annotation, as a key's name may be none of a label.
        key = {"annotations": {f"{PREFIX}/encryption-key": self.args.key}} if self.args.key else {}
        return {**made, "metadata": {**made["metadata"], "name": self._copies, "labels": labels, **key}}

    @property
    def _copies(self) -> str:
        return f"{self.name}-objects"

    def _copying(self) -> list[Container]:
        # The databases first: each version that the registry then knows has its files in the copy of the bucket.
        objects = [self._objects("objects", f"--keep={KEPT}")] if self.args.own else []
        return [self._postgres("dump", DUMP), self._bucket("upload", f"--keep={KEPT}"), *objects]

    def _restoring(self) -> list[Container]:
        return [self._bucket("download", "--restore=newest"), self._postgres("restore", RESTORE)]

    def _job(self, name: str, schedule: str, steps: Sequence[Container], *, suspend: bool = False) -> dict[str, Any]:
        *first, last = steps
        # A copy is unpacked beside what it is packed from.
        volumes: dict[str, dict[str, Any]] = {one: {"emptyDir": {"sizeLimit": "20Gi"}} for one in ("work", "tmp")}
        if any("copies" in one.mounts for one in steps):
            volumes["copies"] = {"persistentVolumeClaim": {"claimName": self._copies}}
        spec = pod(
            [last],
            first=first,
            account=self.name,
            volumes=volumes,
            priority=priority(self.cluster, "platform"),
            restart="Never",
        )
        labels = self.labelled(self._object("v1", "Pod"), "backup")["metadata"]["labels"]
        template = {"metadata": {"labels": labels}, "spec": spec}
        job = {"backoffLimit": 0 if suspend else 2, "activeDeadlineSeconds": LONGEST_S, "template": template}
        made = self._object(
            "batch/v1",
            "CronJob",
            {
                "schedule": schedule,
                "timeZone": "Etc/UTC",
                "suspend": suspend,
                "concurrencyPolicy": "Forbid",
                "startingDeadlineSeconds": 6 * 3600,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 3,
                "jobTemplate": {"spec": job},
            },
        )
        return {**made, "metadata": {**made["metadata"], "name": name}}


def build(site: ClusterSite) -> None:
    """Build the nightly copies of the platform's databases."""
    database, storage = site.require(DatabaseOutputs), site.find(ClusterStorageOutputs)
    after = [*site.ready, *database.ready, *(storage.ready if storage else ())]
    kept = site.spec.storage
    args = BackupArgs(
        cluster=site.cluster,
        store=site.inputs.store,
        database=database.server,
        own=storage is not None,
        key=(kept.encryption_key or "") if isinstance(kept, S3Storage) else "",
        versioning=isinstance(kept, S3Storage) and kept.versioning,
        after=after,
    )
    Backup(NAME, args, site.opts)
