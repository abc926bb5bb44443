"""An environment on a cluster that exists already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
from pydantic import BaseModel

from components.admission.kubernetes import Admission, AdmissionArgs
from components.backup.kubernetes import Backup, BackupArgs
from components.certificates.kubernetes import Certificates, CertificatesArgs
from components.cluster import Cluster, Who
from components.database.args import DatabaseArgs
from components.database.kubernetes import Database
from components.errors import PlanError
from components.features.kubernetes import APP as FEATURES
from components.features.kubernetes import Features, FeaturesArgs
from components.gateway.entrance import KEYS, Entrance, EntranceArgs
from components.gateway.kubernetes import CERTIFICATE, Gateway, GatewayArgs
from components.governance.system import AISystem, AISystemArgs
from components.gpu.args import ACCELERATOR, GpuPoolsArgs, placement
from components.gpu.kubernetes import GpuPools
from components.monitoring.kubernetes import (
    Monitoring,
    MonitoringArgs,
    Promises,
    PromisesArgs,
)
from components.network.policies import pods
from components.pipelines.kubernetes import Kubeflow, KubeflowArgs
from components.platform.kubernetes import Platform, PlatformArgs
from components.platform.operators import OperatorSpace, OperatorSpaceArgs
from components.platform.upstream import Upstream, UpstreamArgs
from components.registry.kubernetes import NAME, Registry, RegistryArgs
from components.secrets.kubernetes import Secrets, SecretsArgs
from components.serving.args import serving_name
from components.serving.kubernetes import Serving, ServingArgs
from components.storage.objects import ObjectStore
from components.teams.args import SpaceArgs, space_of
from components.teams.kubernetes import Space
from components.upstream.bill import piece
from components.upstream.lock import NAME as LOCK
from components.upstream.lock import LockError, read
from components.upstream.selection import Selection, mirror_of, select
from components.workload.job import FOLDER, Job, JobArgs
from components.workload.pods import Resources
from environments import Capability, EnvironmentSpec, Workspace
from environments.spec.risk import Tier
from environments.spec.serving import ServingMode
from environments.spec.storage import S3Storage
from environments.spec.system import SystemSpec
from environments.spec.target import KubernetesTarget
from environments.stages import ENTRIES
from services.alerts.settings import Promise
from services.batch.jobs import scoring_job
from services.runner.requests import training_request, untrainable
from stacks.checks import asked, probability_range
from stacks.contracts import KubernetesEnvironment
from stacks.pieces import GRAFANA_ADMIN, MONITORING, bill_images, images, values_of
from stacks.providers import kubernetes

BACKUP = "backup"
UNOWNED = "nobody is named"
DISCLOSURE = "each answer names the model and version that gave it; consumers tell the people concerned"


def build(spec: EnvironmentSpec, workspace: Workspace) -> KubernetesEnvironment:
    """Register the resources of an environment on a cluster, those that its capabilities ask for.

    Raises:
        PlanError: Its upstream software cannot be taken as declared, or the lock of digests is none.
    """
    used = asked(spec)
    wanted = frozenset(one for one in spec.capabilities if one in used or not ENTRIES[one].on_demand)
    try:
        digests = read(workspace.environments / LOCK)
    except LockError as error:
        raise PlanError([str(error)]) from None
    selection = select(spec, wanted, digests)
    if selection.problems:
        raise PlanError(list(selection.problems))
    return _Kubernetes(spec, selection, digests).environment()


class _Kubernetes:
    """One environment while it is built, in the order of what needs what."""

    def __init__(self, spec: EnvironmentSpec, selection: Selection, digests: Mapping[str, str]) -> None:
        assert isinstance(spec.target, KubernetesTarget)  # noqa: S101 - the caller chose by the target's kind
        assert isinstance(spec.storage, S3Storage)  # noqa: S101 - the file's own check refuses another
        self.spec, self.target, self.selection = spec, spec.target, selection
        self.cluster = Cluster(
            environment=spec.name,
            namespace=spec.target.namespace,
            who=Who(owner=spec.owner or UNOWNED, cost_centre="platform"),
            images=images(selection, digests, mirror_of(spec)),
            storage_class=spec.target.storage_class,
            monitoring=piece(MONITORING).namespace,
        )
        self.store = ObjectStore.of(spec.storage, spec.name, spec.target.region)
        self.opts = pulumi.ResourceOptions(providers=[kubernetes(spec.target)])
        self.urls: dict[str, str] = {}
        self.spaces: dict[str, Space] = {}
        self.operators: dict[str, OperatorSpace] = {}
        self.pieces: dict[str, Upstream] = {}
        self.systems = {
            system.name: AISystem(
                system.name, AISystemArgs(system.model_dump(mode="json", exclude_none=True)), self.opts
            )
            for system in spec.systems
        }
        self.platform = Platform("platform", PlatformArgs(self.cluster, _facts(spec)), self.opts)
        self._alerts()
        self._registry()
        self._gateway()
        self._pipelines()
        self._gpu_pools()
        self._admission()
        for system in spec.systems:
            self._system(system)
        if "external-secrets" in self.selection:
            self._secrets()

    def environment(self) -> KubernetesEnvironment:
        """Return what the stack exports."""
        unique = dict.fromkeys(self.cluster.needed)
        return KubernetesEnvironment(
            context=self.target.context,
            namespaces={"platform": self.cluster.namespace, **{s.name: self._namespace(s) for s in self.spec.systems}},
            urls=self.urls,
            secrets=tuple(sorted(unique, key=lambda one: (one.namespace, one.name, one.why))),
        )

    # -- what is below the systems ------------------------------------------------------------------------------------

    def _upstream(self, name: str) -> Upstream:
        """Install a piece of the bill once, after the pieces that it needs, in its own closed namespace."""
        if name in self.pieces:
            return self.pieces[name]
        wanted = self.selection[name]
        space = self._operators(wanted.namespace, "privileged" if wanted.privileged else "restricted")
        after = [*space.ready, *(one for needed in wanted.after for one in self._needed(needed))]
        args = UpstreamArgs(self.cluster, wanted, values_of(name, self.spec.name), after)
        self.pieces[name] = Upstream(name, args, self.opts)
        return self.pieces[name]

    def _needed(self, name: str) -> Sequence[pulumi.Resource]:
        """Install what a piece needs, where the environment takes it and it is a piece to install."""
        return self._upstream(name).ready if name in self.selection and self.selection[name].sources else ()

    def _operators(self, namespace: str, security: str) -> OperatorSpace:
        if namespace not in self.operators:
            args = OperatorSpaceArgs(self.cluster, namespace, security)
            self.operators[namespace] = OperatorSpace(namespace, args, self.opts)
        return self.operators[namespace]

    def _alerts(self) -> None:
        self.watched: list[pulumi.Resource] = []
        if Capability.ALERTS not in self.spec.capabilities:
            return
        operator = self._upstream(MONITORING).ready
        days = max(1, self.spec.retention.logs.days)
        monitoring = MonitoringArgs(self.cluster, days, after=[*operator, *self.platform.ready])
        # What is scraped or alerted on is declared by the kinds that the operator brings, before Prometheus or after.
        self.watched = [*operator, *Monitoring("monitoring", monitoring, self.opts).ready]
        if "grafana" in self.selection:
            self._grafana()
        self.urls["prometheus"] = f"http://prometheus-operated.{self.cluster.monitoring}.svc:9090"
        self.urls["alertmanager"] = f"http://alertmanager-operated.{self.cluster.monitoring}.svc:9093"

    def _grafana(self) -> None:
        grafana = self._upstream("grafana")
        grafana.needs(grafana.piece.namespace, GRAFANA_ADMIN, ("admin-user", "admin-password"), "Grafana's first user")

    def _registry(self) -> None:
        self.registered: list[pulumi.Resource] = []
        if Capability.REGISTRY not in self.spec.capabilities:
            return
        operator = piece("cloudnative-pg")
        after = [*self._upstream(operator.name).ready, *self.platform.ready, *self.watched]
        # All that a later stage or switch may bring, so that it changes nothing here.
        callers = [*(pods(labels={"app.kubernetes.io/name": one}) for one in (NAME, BACKUP)), pods(labels=FEATURES)]
        database = Database("database", DatabaseArgs(self.cluster, callers, operator.namespace, after=after), self.opts)
        args = RegistryArgs(
            cluster=self.cluster,
            store=self.store,
            database="database",
            secret=database.secret,
            after=[*self.platform.ready, *self.watched, *database.ready],
        )
        registry = Registry("registry", args, self.opts)
        self.registered, self.urls["mlflow"] = registry.ready, registry.uri
        after = [*self.platform.ready, *database.ready]
        if Capability.BACKUP in self.spec.capabilities:
            Backup(BACKUP, BackupArgs(self.cluster, self.store, "database", database.secret, after), self.opts)
        if "feast" in self.selection:
            after += self._upstream("feast").ready
            Features("features", FeaturesArgs(self.cluster, self.store, "database", after), self.opts)

    def _gateway(self) -> None:
        self.entered: list[pulumi.Resource] = []
        if Capability.GATEWAY not in self.spec.capabilities:
            return
        names = [f"gateway.{self.cluster.namespace}.svc", f"gateway.{self.cluster.namespace}.svc.cluster.local"]
        issued = Certificates(
            "certificates",
            CertificatesArgs(
                self.cluster, {CERTIFICATE: names}, [*self._upstream("cert-manager").ready, *self.platform.ready]
            ),
            self.opts,
        )
        envoy = self._upstream("envoy-gateway")
        after = [*envoy.ready, *issued.ready, *self.platform.ready]
        args = GatewayArgs(self.cluster, envoy.piece.namespace, [*self.watched, *envoy.ready], after)
        self.entered = Gateway("gateway", args, self.opts).ready

    def _pipelines(self) -> None:
        if Capability.PIPELINES not in self.spec.capabilities:
            return
        kubeflow = self._upstream("kubeflow-pipelines")
        args = KubeflowArgs(self.cluster, kubeflow.piece.namespace, [*kubeflow.ready, *self.platform.ready])
        Kubeflow("pipelines", args, self.opts)
        if "kuberay" in self.selection:
            self._upstream("kuberay")
        self.urls["kubeflow"] = f"http://ml-pipeline.{kubeflow.piece.namespace}.svc:8888"

    def _gpu_pools(self) -> None:
        if Capability.GPU_POOLS not in self.spec.capabilities or not self.spec.gpu_pools:
            return
        exporter, _ = self._upstream("dcgm-exporter"), self._upstream("nvidia-device-plugin")
        after = [*self.platform.ready, *exporter.ready, *self.watched]
        args = GpuPoolsArgs(self.cluster, self.spec.gpu_pools, exporter.piece.namespace, after=after)
        GpuPools("gpu", args, self.opts)

    def _admission(self) -> None:
        # Operators put images of their own into people's namespaces; all of the bill's, so that a stage changes none.
        known = {*self.cluster.images.values(), *bill_images(self.selection, mirror_of(self.spec))}
        tagged = sorted(image for image in known if "@sha256:" not in image)
        Admission("admission", AdmissionArgs(self.cluster, tagged, self.platform.ready), self.opts)

    def _secrets(self) -> None:
        spaces = [one for space in self.spaces.values() for one in space.ready]
        spaces += [one for space in self.operators.values() for one in space.ready]
        after = [*self._upstream("external-secrets").ready, *self.platform.ready, *spaces]
        # The public keys of tokens are no secret, and no Secret either.
        references = [one for one in self.cluster.needed if one.name != KEYS]
        Secrets("secrets", SecretsArgs(self.cluster, references, after), self.opts)

    # -- a system -----------------------------------------------------------------------------------------------------

    def _namespace(self, system: SystemSpec) -> str:
        return space_of(self.cluster.namespace, system.team, system.name)

    def _who(self, system: SystemSpec) -> Who:
        team = next((one for one in self.spec.teams if one.name == system.team), None)
        owner = self.spec.owner_of(system) or (team and team.owner) or UNOWNED
        return Who(owner, (team and team.cost_centre) or self.cluster.who.cost_centre, system.name)

    def _space(self, system: SystemSpec) -> Space:
        """Return the namespace of a system: its team's, made for the first of its systems, or one of its own."""
        namespace = self._namespace(system)
        if namespace not in self.spaces:
            team = next((one for one in self.spec.teams if one.name == system.team), None)
            who = Who(
                (team and team.owner) or self.spec.owner_of(system) or UNOWNED,
                (team and team.cost_centre) or self.cluster.who.cost_centre,
            )
            args = SpaceArgs(self.cluster, namespace, who, team.name if team else "", team.gpu_quota if team else 0)
            self.spaces[namespace] = Space(f"space-{system.team or system.name}", args, self.opts)
        return self.spaces[namespace]

    def _system(self, system: SystemSpec) -> None:
        after = [*self._space(system).ready, *self.platform.ready]
        if Capability.TRAINING in self.spec.capabilities and untrainable(system) is None:
            self._training(system, after)
        if Capability.SERVING in self.spec.capabilities and system.serving.mode is ServingMode.REALTIME:
            self._serving(system, after)
        if Capability.BATCH in self.spec.capabilities and system.serving.mode is ServingMode.BATCH:
            self._scoring(system, after)

    def _training(self, system: SystemSpec, after: Sequence[pulumi.Resource]) -> None:
        uri = self.urls["mlflow"]
        request = training_request(
            self.spec.name, system, root=Path(FOLDER), home=Path(FOLDER), tracking_uri=uri, commit=None
        )
        gpus, pool = request.settings.gpus, system.serving.resources.pool
        accelerator = self._accelerator(pool, gpus)
        args = self._job(
            system,
            after,
            part="training",
            module="services.runner.job",
            settings=_json(request),
            schedule=system.model.schedule,
            resources=Resources(cpu="2", memory="4Gi", gpus=gpus),
            placement=placement(pool, gpus),
            labels={ACCELERATOR: accelerator} if accelerator else {},
        )
        Job(f"training-{system.name}", args, self.systems[system.name].child())

    def _scoring(self, system: SystemSpec, after: Sequence[pulumi.Resource]) -> None:
        """Score a batch system's dataset, at its times; stacks.checks has seen that there is one that can be read."""
        job = scoring_job(system, root=Path(FOLDER), home=Path(FOLDER))
        asked = system.serving.resources
        args = self._job(
            system,
            after,
            part="scoring",
            module="services.scoring",
            settings=_json(job),
            schedule=system.serving.schedule,
            resources=Resources(cpu=f"{round(asked.cpu * 1000)}m", memory=asked.memory, gpus=asked.gpu),
            placement=placement(asked.pool, asked.gpu),
        )
        Job(f"scoring-{system.name}", args, self.systems[system.name].child())

    def _job(self, system: SystemSpec, after: Sequence[pulumi.Resource], **given: Any) -> JobArgs:  # noqa: ANN401
        return JobArgs(
            cluster=self.cluster,
            namespace=self._namespace(system),
            who=self._who(system),
            registry=self.urls["mlflow"],
            store=self.store,
            after=[*after, *self.registered],
            **given,
        )

    def _accelerator(self, pool: str | None, gpus: int) -> str:
        """Return the kind of a training's accelerators: its pool's, or the only one there is."""
        found = {one.accelerator.value for one in self.spec.gpu_pools if pool in {None, one.name}}
        return found.pop() if gpus and len(found) == 1 else ""

    def _serving(self, system: SystemSpec, after: Sequence[pulumi.Resource]) -> None:
        seldon = self._upstream("seldon-core").ready
        within, who, beneath = self._namespace(system), self._who(system), self.systems[system.name].child()
        operators = piece("envoy-gateway").namespace
        serving = Serving(
            serving_name(system.name),
            ServingArgs(
                cluster=self.cluster,
                namespace=within,
                who=who,
                system=system.name,
                serving=system.serving,
                operators=operators,
                registry=self.urls["mlflow"],
                store=self.store,
                probability_range=probability_range(system),
                placement=placement(system.serving.resources.pool, system.serving.resources.gpu),
                disclosure=DISCLOSURE if system.risk.tier in {Tier.HIGH, Tier.LIMITED} else "",
                after=[*after, *seldon, *self.watched],
            ),
            beneath,
        )
        sla = system.serving.sla
        promise = Promise(
            system=system.name,
            owner=who.owner,
            p99_seconds=sla.p99.total_seconds(),
            availability=sla.availability,
        )
        if self.watched:
            Promises(
                f"promise-{system.name}",
                PromisesArgs(self.cluster, within, who, promise, [*after, *self.watched]),
                beneath,
            )
        Entrance(
            f"entrance-{system.name}",
            EntranceArgs(
                cluster=self.cluster,
                namespace=within,
                who=who,
                system=system.name,
                serving=system.serving,
                backends=serving.backends,
                stoppable=system.oversight.kill_switch,
                after=[*after, *self.entered],
            ),
            beneath,
        )


def _json(settings: BaseModel) -> str:
    return settings.model_dump_json(indent=2, exclude_none=True) + "\n"


def _facts(spec: EnvironmentSpec) -> Mapping[str, object]:
    """Return what may not change while the environment is deployed; a stage may, so it is not among them."""
    return spec.model_dump(mode="json", include={"name", "target", "storage"})
