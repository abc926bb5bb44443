"""Copies of what cannot be made again: the databases, each night, into the bucket, and tried by reading them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from mlstrata.components.backup.capability import NAME
from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.database.args import Server
from mlstrata.components.database.kubernetes import OTHERS, OWNER
from mlstrata.components.database.outputs import DatabaseOutputs
from mlstrata.components.manifests import manifest
from mlstrata.components.network_policies import outgoing
from mlstrata.components.platform.kubernetes import priority
from mlstrata.components.registry.job import NEVER
from mlstrata.components.storage.objects import ObjectStore
from mlstrata.components.storage.outputs import ClusterStorageOutputs
from mlstrata.components.workload.pods import Container, account, pod
from mlstrata.services.backup.postgres import DUMP, RESTORE

NIGHTLY = "17 1 * * *"
"""At night in UTC, and not on the hour, when everybody's jobs start."""
FOLDER = "/work"
KEPT = 14
"""Copies that are kept: two weeks, in which somebody notices."""


@dataclass(frozen=True)
class BackupArgs:
    """Arguments of `Backup`.

    Attributes:
        cluster: Where.
        store: Where the copies lie.
        database: The Postgres whose databases are copied.
        after: What must be there before it.
    """

    cluster: Cluster
    store: ObjectStore
    database: Server
    after: Sequence[pulumi.Resource] = ()


class Backup(ClusterComponent):
    """A job a night that dumps the databases, reads the dump back and puts it into the bucket."""

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
        self.add("", self._job(name, NIGHTLY, self._copying()), part="backup", after=before)
        # Suspended: `kubectl create job --from=cronjob/backup-restore` starts it, and nothing else does.
        restore = self._job(f"{name}-restore", NEVER, self._restoring(), suspend=True)
        self.add("restore", restore, part="backup", after=before)
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
        store = self.args.store
        return Container(
            name=name,
            image=self.cluster.image("runtime"),
            command=["python", "-m", "mlstrata.services.backup"],
            args=[f"--folder={FOLDER}", f"--to={store.url('backups/database')}", *arguments],
            env=store.variables(),
            secrets=store.credentials(),
            mounts={"work": FOLDER, "tmp": "/tmp"},  # noqa: S108 - a folder of the container's own
            resources=self.cluster.size("jobs"),
        )

    def _copying(self) -> list[Container]:
        return [self._postgres("dump", DUMP), self._bucket("upload", f"--keep={KEPT}")]

    def _restoring(self) -> list[Container]:
        return [self._bucket("download", "--restore=newest"), self._postgres("restore", RESTORE)]

    def _job(self, name: str, schedule: str, steps: Sequence[Container], *, suspend: bool = False) -> dict[str, Any]:
        *first, last = steps
        spec = pod(
            [last],
            first=first,
            account=self.name,
            # A copy is unpacked beside what it is packed from.
            volumes={name: {"emptyDir": {"sizeLimit": "20Gi"}} for name in ("work", "tmp")},
            priority=priority(self.cluster, "platform"),
            restart="Never",
        )
        labels = self.labelled(self._object("v1", "Pod"), "backup")["metadata"]["labels"]
        template = {"metadata": {"labels": labels}, "spec": spec}
        job = {"backoffLimit": 0 if suspend else 2, "activeDeadlineSeconds": 3600, "template": template}
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
    Backup(NAME, BackupArgs(site.cluster, site.inputs.store, database.server, after), site.opts)
