"""A job on a cluster that asks the registry: one that anybody with the right may start, and that a schedule may too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent, Ownership
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.features.kubernetes import PORTS as FEATURE_PORTS
from mlstrata.components.features.kubernetes import servers_for
from mlstrata.components.manifests import manifest, rights, service_account
from mlstrata.components.namespaces.outputs import NamespacesOutputs
from mlstrata.components.naming import forms
from mlstrata.components.network_policies import Peer, outgoing
from mlstrata.components.platform.kubernetes import priority
from mlstrata.components.registry.kubernetes import ACCESS_KEYS, USES_REGISTRY, client, registry_of
from mlstrata.components.registry.names import ACCESS
from mlstrata.components.registry.names import PORT as REGISTRY_PORT
from mlstrata.components.registry.outputs import ClusterRegistryOutputs
from mlstrata.components.registry.people import account as account_of
from mlstrata.components.registry.people import people
from mlstrata.components.storage.data import store_of
from mlstrata.components.storage.database import Database
from mlstrata.components.storage.objects import ObjectStore
from mlstrata.components.workload.pods import Container, Placement, Resources, account, pod
from mlstrata.environments.spec.data import DatasetSpec
from mlstrata.environments.spec.quantities import cron_for_kubernetes
from mlstrata.environments.spec.system import SystemSpec

FOLDER = "/work"
LONGEST_HOURS = 12
"""A job that runs longer hangs; nothing that is shipped takes an hour."""
NEVER = "0 0 31 2 *"
"""A day that does not come: the schedule of what is only started by hand, which a CronJob must have all the same."""
_WEEK = 7 * 24 * 3600


@dataclass(frozen=True)
class JobArgs:
    """Arguments of `Job`.

    Attributes:
        cluster: Where.
        namespace: The system's namespace.
        ownership: Whose it is.
        part: The part that it plays: training, scoring.
        module: The module that runs, with `--settings FILE`.
        settings: The file, JSON; nothing of it is secret.
        registry: Address of the registry.
        store: Where artifacts lie.
        schedule: Cron in UTC; None: when somebody asks.
        resources: What it gets.
        placement: Nodes for its accelerators.
        image: The system's own; None: ours.
        labels: More labels of its pods.
        trained: Pipelines may train by the clock in its place.
        released: It takes the released version: who decided about that is kept with it.
        features: The feature store's pods, where its model takes features from it.
        data: The bucket or the database that its rows lie in; None: they lie in neither.
        after: What must be there before it.
    """

    cluster: Cluster
    namespace: str
    ownership: Ownership
    part: str
    module: str
    settings: str
    registry: str
    store: ObjectStore
    schedule: str | None = None
    resources: Resources = field(default_factory=Resources)
    placement: Placement | None = None
    image: str | None = None
    labels: Mapping[str, str] | None = None
    trained: bool = False
    released: bool = False
    features: Sequence[Peer] = ()
    data: ObjectStore | Database | None = None
    after: Sequence[pulumi.Resource] = ()


class Job(ClusterComponent):
    """A job of a system: `kubectl create job --from=cronjob/NAME` starts one; a schedule does too."""

    def __init__(self, name: str, args: JobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("workload", name, args.cluster, opts, ownership=args.ownership)
        self.args, self.space = args, args.namespace
        self.app = {"app.kubernetes.io/name": name}
        self.needs(self.space, ACCESS, ACCESS_KEYS, f"the registry, which the {args.part} of systems asks")
        after = list(args.after)
        settings = {**self._object("v1", "ConfigMap"), "data": {"settings.json": args.settings}}
        registry = registry_of(args.cluster.namespace)
        ways: dict[str, tuple[Sequence[int], Sequence[Peer]]] = {
            "registry": ([REGISTRY_PORT], [registry]),
            "store": ([args.store.port], args.store.peers),
            **({"features": (FEATURE_PORTS, args.features)} if args.features else {}),
            **({"data": ([args.data.port], args.data.peers)} if args.data and args.data != args.store else {}),
        }
        if args.data:
            args.data.read_by(self, self.space, f"the data that the {args.part} of {args.ownership.system} reads")
        before = [
            self.add(
                "account",
                account(self._object("v1", "ServiceAccount"), args.store.identity(), self.pulls(self.space)),
                after=after,
            ),
            self.add("settings", settings, after=after),
        ]
        for what, (ports, peers) in ways.items():
            way = outgoing(forms.part(name, what), self.space, of=self.app, ports=ports, peers=peers)
            before.append(self.add(what, way, after=after))
        # Where pipelines train by the clock, the job's own clock stands still: whoever trains says which of them it is.
        self.add("", self._job(), part=args.part, after=before, ignore=["spec.suspend"] if args.trained else [])
        if args.trained:
            self._may("clock", "trainers", forms.clock(self.name), after)
        if args.released:
            self._may("releases", "releasers", account_of(args.ownership.system), after, by_account="releaser")
        self.register_outputs({})

    def _object(self, version: str, kind: str, spec: dict[str, Any] | None = None) -> dict[str, Any]:
        return manifest(version, kind, self.name, self.space, labels=self.app, **({"spec": spec} if spec else {}))

    def _may(
        self, part: str, whose: str, named: str, after: Sequence[pulumi.Resource], *, by_account: str = ""
    ) -> None:
        """Let whoever trains or releases the system patch this CronJob, and do nothing else.

        Training stops its clock, a release records on it who decided; a pipeline that releases is an account.
        """
        rule = {
            "apiGroups": ["batch"],
            "resources": ["cronjobs"],
            "resourceNames": [self.name],
            "verbs": ["get", "patch"],
        }
        itself = [service_account(named, self.space)] if by_account else []
        subjects = [people(self.cluster.environment, self.args.ownership.system), *itself]
        role, binding = rights(named, self.space, [rule], subjects)
        before = [self.add(part, role, after=after)]
        if by_account:
            made = manifest("v1", "ServiceAccount", named, self.space, automountServiceAccountToken=False)
            before.append(self.add(by_account, made, after=after))
        self.add(whose, binding, after=before)

    def _pod(self) -> dict[str, Any]:
        args = self.args
        plain, secret = client(args.registry)
        bucket = args.data if isinstance(args.data, ObjectStore) else args.store
        container = Container(
            name=args.part,
            image=args.image or self.cluster.image("runtime"),
            command=["python", "-m", args.module],
            args=["--settings=/etc/mlstrata/settings.json"],
            env={**plain, **bucket.variables(), "HOME": FOLDER, "TMPDIR": FOLDER},
            secrets={**secret, **(args.data.credentials() if args.data else {})},
            mounts={"settings": "/etc/mlstrata", "work": FOLDER},
            resources=args.resources,
        )
        return pod(
            [container],
            account=self.name,
            volumes={"settings": {"configMap": {"name": self.name}}, "work": {"emptyDir": {"sizeLimit": "20Gi"}}},
            priority=priority(self.cluster, "training"),
            placement=args.placement,
            restart="Never",
        )

    def _job(self) -> dict[str, Any]:
        args = self.args
        labels = self.labelled(self._object("v1", "Pod"), args.part)["metadata"]["labels"]
        # A node that is given back to save money must not take a job with it.
        kept = {"karpenter.sh/do-not-disrupt": "true"}
        metadata = {"labels": {**labels, **USES_REGISTRY, **(args.labels or {})}, "annotations": kept}
        job = {
            "activeDeadlineSeconds": LONGEST_HOURS * 3600,
            "backoffLimit": 1,
            "ttlSecondsAfterFinished": _WEEK,
            "template": {"metadata": metadata, "spec": self._pod()},
        }
        return self._object(
            "batch/v1",
            "CronJob",
            {
                "schedule": cron_for_kubernetes(args.schedule or NEVER),
                "timeZone": "Etc/UTC",
                "suspend": args.schedule is None,
                # One at a time: a second would work on the same data.
                "concurrencyPolicy": "Forbid",
                "startingDeadlineSeconds": 3600,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 3,
                "jobTemplate": {"spec": job},
            },
        )


def job_of_system(site: ClusterSite, system: SystemSpec, name: str, data: DatasetSpec | None, **given: Any) -> Job:
    """Register a job of a system that reads a dataset, beneath it; `given` are the arguments in which jobs differ."""
    registry, namespace = site.require(ClusterRegistryOutputs), site.namespace_of(system)
    args = JobArgs(
        cluster=site.cluster,
        namespace=namespace,
        ownership=site.ownership_of(system),
        registry=registry.uri,
        store=site.inputs.store,
        features=servers_for(site, system),
        data=store_of(data, site.inputs.store),
        image=system.model.image,
        after=[*site.require(NamespacesOutputs).by_name[namespace].ready, *site.ready, *registry.ready],
        **given,
    )
    return Job(name, args, site.systems[system.name].child())
