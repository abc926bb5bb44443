"""Copies of what cannot be made again: the databases, each night, into the bucket, and tried by reading them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.cluster import Cluster, ClusterComponent
from components.database.args import PORT
from components.database.kubernetes import OTHERS, OWNER
from components.network.policies import ANYWHERE, outgoing, pods
from components.platform.kubernetes import priority
from components.storage.objects import ObjectStore
from components.workload.pods import Container, Resources, pod

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
        database: Name of the database's Postgres cluster.
        secret: Secret with the database's username and password.
        after: What must be there before it.
    """

    cluster: Cluster
    store: ObjectStore
    database: str
    secret: str
    after: Sequence[pulumi.Resource] = ()


class Backup(ClusterComponent):
    """A job a night that dumps the databases, reads the dump back and puts it into the bucket."""

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("backup", name, args.cluster, opts)
        self.args, self.space = args, args.cluster.namespace
        self.app = {"app.kubernetes.io/name": name}
        self.needs(self.space, args.store.secret, args.store.keys, "the bucket of backups")
        after = list(args.after)
        account = {**self._object("v1", "ServiceAccount"), "automountServiceAccountToken": False}
        server = pods(labels={"cnpg.io/cluster": args.database})
        before = [
            self.add("account", account, after=after),
            self.add(
                "database",
                outgoing(f"{name}-database", self.space, of=self.app, ports=[PORT], peers=[server]),
                after=after,
            ),
            self.add(
                "store",
                outgoing(f"{name}-store", self.space, of=self.app, ports=[args.store.port], peers=[ANYWHERE]),
                after=after,
            ),
        ]
        self.add("", self._job(), part="backup", after=before)
        self.register_outputs({})

    def _object(self, version: str, kind: str, spec: dict[str, Any] | None = None) -> dict[str, Any]:
        metadata = {"name": self.name, "namespace": self.space, "labels": self.app}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **({"spec": spec} if spec else {})}

    def _job(self) -> dict[str, Any]:
        args = self.args
        server = {
            "PGHOST": f"{args.database}-rw",
            "PGPORT": str(PORT),
            "DATABASES": " ".join((OWNER, *OTHERS)),
            "FOLDER": FOLDER,
        }
        dump = Container(
            name="dump",
            image=self.cluster.image("postgres"),
            command=["bash", "-euo", "pipefail", "-c"],
            args=[DUMP],
            env=server,
            secrets={"PGUSER": (args.secret, "username"), "PGPASSWORD": (args.secret, "password")},
            mounts={"work": FOLDER},
            resources=Resources(cpu="250m", memory="512Mi", cpu_limit="1"),
        )
        upload = Container(
            name="upload",
            image=self.cluster.image("runtime"),
            command=["python", "-m", "services.backup"],
            args=[f"--folder={FOLDER}", f"--to={args.store.url('backups/database')}", f"--keep={KEPT}"],
            env=args.store.variables(),
            secrets=args.store.credentials(),
            mounts={"work": FOLDER},
            resources=Resources(cpu="250m", memory="512Mi", cpu_limit="1"),
        )
        spec = pod(
            [upload],
            first=[dump],
            account=self.name,
            volumes={"work": {"emptyDir": {"sizeLimit": "20Gi"}}},
            priority=priority(self.cluster, "platform"),
            restart="Never",
        )
        labels = self.labelled(self._object("v1", "Pod"), "backup")["metadata"]["labels"]
        job = {
            "backoffLimit": 2,
            "activeDeadlineSeconds": 3600,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        }
        return self._object(
            "batch/v1",
            "CronJob",
            {
                "schedule": NIGHTLY,
                "timeZone": "Etc/UTC",
                "concurrencyPolicy": "Forbid",
                "startingDeadlineSeconds": 6 * 3600,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 3,
                "jobTemplate": {"spec": job},
            },
        )


DUMP = """\\
for database in $DATABASES; do
  pg_dump --format=custom --no-owner --file="$FOLDER/$database.dump" "$database"
  # A dump that cannot be listed cannot be restored either: better told tonight than on the day it is needed.
  pg_restore --list "$FOLDER/$database.dump" > /dev/null
done
"""
