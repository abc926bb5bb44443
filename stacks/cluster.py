"""An environment on a cluster: one that exists already, or one that its cloud's substrate made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from mlstrata.components.admission.kubernetes import Admission, AdmissionArgs
from mlstrata.components.backup.kubernetes import Backup, BackupArgs
from mlstrata.components.catalog.kubernetes import Catalog, CatalogArgs
from mlstrata.components.certificates.kubernetes import Certificates, CertificatesArgs
from mlstrata.components.cluster import Cluster, Who
from mlstrata.components.database.args import SECRET_KEYS, DatabaseArgs, Server
from mlstrata.components.database.kubernetes import Database
from mlstrata.components.errors import PlanError
from mlstrata.components.features.kubernetes import APP as FEATURES
from mlstrata.components.features.kubernetes import Features, FeaturesArgs
from mlstrata.components.gateway.kubernetes import CERTIFICATE, Gateway, GatewayArgs
from mlstrata.components.gateway.system_route import KEYS
from mlstrata.components.governance.system import AISystem, AISystemArgs
from mlstrata.components.gpu.args import AwsNodes, GpuPoolsArgs
from mlstrata.components.gpu.kubernetes import GpuPools
from mlstrata.components.monitoring.dashboards import Dashboards, DashboardsArgs
from mlstrata.components.monitoring.kubernetes import Monitoring, MonitoringArgs
from mlstrata.components.monitoring.logs import Logs, LogsArgs
from mlstrata.components.network_policies import pods
from mlstrata.components.pipelines.kubernetes import Kubeflow, KubeflowArgs
from mlstrata.components.platform.kubernetes import Platform, PlatformArgs
from mlstrata.components.platform.operators import OperatorSpace, OperatorSpaceArgs
from mlstrata.components.platform.upstream import Upstream, UpstreamArgs
from mlstrata.components.ray.kubernetes import Ray, RayArgs
from mlstrata.components.registry.kubernetes import NAME, Registry, RegistryArgs
from mlstrata.components.secrets.kubernetes import Secrets, SecretsArgs
from mlstrata.components.site import UNOWNED
from mlstrata.components.storage.kubernetes import Store, StoreArgs
from mlstrata.components.upstream.bill import piece
from mlstrata.components.upstream.lock import NAME as LOCK
from mlstrata.components.upstream.lock import LockError, read
from mlstrata.components.upstream.mirror import all_sources
from mlstrata.components.upstream.selection import Selection, mirror_of, select
from mlstrata.environments import Capability, EnvironmentSpec, Workspace
from mlstrata.environments.spec.storage import S3Storage
from mlstrata.environments.usage import used_capabilities
from mlstrata.stacks import cluster_inputs as ground
from mlstrata.stacks.chart_values import GRAFANA_ADMIN, MONITORING, bill_images, images, values_of
from mlstrata.stacks.outputs import KubernetesEnvironment
from mlstrata.stacks.systems import Base, Systems

BACKUP, FEAST = "backup", "feast"


def build(spec: EnvironmentSpec, workspace: Workspace) -> KubernetesEnvironment:
    """Register the resources of an environment on a cluster, those that its capabilities ask for.

    Raises:
        PlanError: Its upstream software cannot be taken as declared, the lock of digests is none, or its cloud's
            substrate is not there.
    """
    wanted = used_capabilities(spec)
    try:
        digests = read(workspace.environments / LOCK)
    except LockError as error:
        raise PlanError([str(error)]) from None
    selection = select(spec, wanted, digests)
    if selection.problems:
        raise PlanError(list(selection.problems))
    return _Kubernetes(spec, selection, digests, ground.of(spec, workspace)).environment()


class _Kubernetes:
    """One environment while it is built, in the order of what needs what."""

    def __init__(
        self, spec: EnvironmentSpec, selection: Selection, digests: Mapping[str, str], below: ground.Ground
    ) -> None:
        self.spec, self.selection, self.ground = spec, selection, below
        self.cluster = Cluster(
            environment=spec.name,
            namespace=below.namespace,
            who=Who(owner=spec.owner or UNOWNED, cost_centre=spec.cost_centre or "platform"),
            images=images(selection, digests, mirror_of(spec)),
            storage_class=below.storage_class,
            monitoring=piece(MONITORING).namespace,
        )
        self.opts = pulumi.ResourceOptions(providers=[below.provider()])
        self.operators: dict[str, OperatorSpace] = {}
        self.pieces: dict[str, Upstream] = {}
        declared = {
            system.name: AISystem(
                system.name, AISystemArgs(system.model_dump(mode="json", exclude_none=True)), self.opts
            )
            for system in spec.systems
        }
        self.platform = Platform("platform", PlatformArgs(self.cluster, _facts(spec)), self.opts)
        self.base = Base(spec, self.cluster, below.store, self.opts, self._upstream, ready=self.platform.ready)
        self.urls, self.store = self.base.urls, self.base.store
        self._alerts()
        self._registry()
        self._gateway()
        self._catalog()
        self._pipelines()
        self._gpu_pools()
        self._admission()
        self.systems = Systems(self.base, declared)
        for system in spec.systems:
            self.systems.add(system)
        self._ray()
        self._logs()
        for pin in self.spec.upstream:
            self._needed(pin.name)  # what the file names comes, whether or not a capability brings it
        if "external-secrets" in self.selection:
            self._secrets()

    def environment(self) -> KubernetesEnvironment:
        """Return what the stack exports."""
        unique = dict.fromkeys(self.cluster.needed)
        spaces = {system.name: self.systems.namespace(system) for system in self.spec.systems}
        return KubernetesEnvironment(
            context=self.ground.context,
            namespaces={"platform": self.cluster.namespace, **spaces},
            urls=self.urls,
            secrets=tuple(sorted(unique, key=lambda one: (one.namespace, one.name, one.why))),
        )

    def _upstream(self, name: str) -> Upstream:
        """Install a piece of the bill once, after the pieces that it needs, in its own closed namespace."""
        if name in self.pieces:
            return self.pieces[name]
        wanted = self.selection[name]
        space = self._operators(wanted.namespace, wanted.security)
        after = [*space.ready, *(one for needed in wanted.after for one in self._needed(needed))]
        args = UpstreamArgs(
            self.cluster, wanted, values_of(name, self.spec, self.cluster.namespace, self.ground.substrate), after
        )
        self.pieces[name] = Upstream(name, args, self.opts)
        return self.pieces[name]

    def _needed(self, name: str) -> Sequence[pulumi.Resource]:
        """Install what a piece needs, where the environment takes it and it is a piece to install."""
        return self._upstream(name).ready if name in self.selection and all_sources(self.selection[name]) else ()

    def _operators(self, namespace: str, security: str) -> OperatorSpace:
        if namespace not in self.operators:
            args = OperatorSpaceArgs(self.cluster, namespace, security)
            self.operators[namespace] = OperatorSpace(namespace, args, self.opts)
        return self.operators[namespace]

    def _alerts(self) -> None:
        if Capability.ALERTS not in self.spec.capabilities:
            return
        operator = self._upstream(MONITORING).ready
        days = max(1, self.spec.retention.logs.days)
        monitoring = MonitoringArgs(self.cluster, days, after=[*operator, *self.platform.ready])
        # What is scraped or alerted on is declared by the kinds that the operator brings, before Prometheus or after.
        self.base.watched = [*operator, *Monitoring("monitoring", monitoring, self.opts).ready]
        if "grafana" in self.selection:
            self._grafana()
        self.urls["prometheus"] = f"http://prometheus-operated.{self.cluster.monitoring}.svc:9090"
        self.urls["alertmanager"] = f"http://alertmanager-operated.{self.cluster.monitoring}.svc:9093"

    def _grafana(self) -> None:
        grafana = self._upstream("grafana")
        grafana.needs(grafana.piece.namespace, GRAFANA_ADMIN, ("admin-user", "admin-password"), "Grafana's first user")
        pools = Capability.GPU_POOLS in self.spec.capabilities and bool(self.spec.gpu_pools)
        Dashboards("dashboards", DashboardsArgs(self.cluster, pools, self.platform.ready), self.opts)

    def _logs(self) -> None:
        if "loki" not in self.selection:
            return
        spaces = self.systems.spaces
        after = [*self.platform.ready, *self.base.watched, *(one for it in spaces.values() for one in it.ready)]
        days = max(1, self.spec.retention.logs.days)
        args = LogsArgs(self.cluster, sorted([self.cluster.namespace, *spaces]), days, after=after)
        self.urls["logs"] = Logs("logs", args, self.opts).url

    def _database(self) -> tuple[Server, Sequence[pulumi.Resource]]:
        """Return Postgres and what its clients wait for: the organisation's own, the cloud's, or one made here."""
        if self.ground.database is not None:
            server = self.ground.database
            self.platform.needs(self.cluster.namespace, server.secret, SECRET_KEYS, "the databases mlflow and feast")
            return server, ()
        operator = piece("cloudnative-pg")
        after = [*self._upstream(operator.name).ready, *self.platform.ready, *self.base.watched]
        # All that a later stage or switch may bring, so that it changes nothing here.
        callers = [
            *(pods(labels={"app.kubernetes.io/name": one}) for one in (NAME, BACKUP)),
            pods(namespace=piece(FEAST).namespace, labels=FEATURES),
        ]
        made = Database("database", DatabaseArgs(self.cluster, callers, operator.namespace, after=after), self.opts)
        return made.server, made.ready

    def _stored(self) -> Sequence[pulumi.Resource]:
        """Make a store of the cluster's own where there is no other; return what its clients wait for."""
        if "seaweedfs" not in self.selection:
            return ()
        after = [*self.platform.ready, *self.base.watched]
        assert isinstance(self.spec.storage, S3Storage)  # noqa: S101 - the file's own check refuses another
        args = StoreArgs(self.cluster, self.store.bucket, self.spec.storage.versioning, after=after)
        return Store("storage", args, self.opts).ready

    def _registry(self) -> None:
        if Capability.REGISTRY not in self.spec.capabilities:
            return
        database, made = self._database()
        made = [*made, *self._stored()]
        after = [*self.platform.ready, *self.base.watched, *made]
        registry = Registry("registry", RegistryArgs(self.cluster, self.store, database, after), self.opts)
        self.base.registered, self.urls["mlflow"] = registry.ready, registry.uri
        after = [*self.platform.ready, *made]
        if Capability.BACKUP in self.spec.capabilities:
            Backup(BACKUP, BackupArgs(self.cluster, self.store, database, after), self.opts)
        if FEAST in self.selection:
            feast, store = self._upstream(FEAST), self.ground.features or self.store
            holds, after = self.spec.retention.features, [*after, *feast.ready]
            args = FeaturesArgs(self.cluster, feast.piece.namespace, store, database, holds, after)
            Features("features", args, self.opts)

    def _gateway(self) -> None:
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
        watched = [*self.base.watched, *envoy.ready]
        args = GatewayArgs(self.cluster, envoy.piece.namespace, self.ground.balancer, watched, after)
        self.base.entered = Gateway("gateway", args, self.opts).ready

    def _catalog(self) -> None:
        if Capability.CATALOG not in self.spec.capabilities:
            return
        after = [*self.platform.ready, *self.base.watched, *self.base.registered]
        args = CatalogArgs(self.cluster, self.spec, self.urls["mlflow"], after)
        self.urls["catalog"] = Catalog("catalog", args, self.opts).url

    def _pipelines(self) -> None:
        if Capability.PIPELINES not in self.spec.capabilities:
            return
        kubeflow = self._upstream("kubeflow-pipelines")
        args = KubeflowArgs(self.cluster, kubeflow.piece.namespace, [*kubeflow.ready, *self.platform.ready])
        Kubeflow("pipelines", args, self.opts)
        self.urls["kubeflow"] = f"http://ml-pipeline.{kubeflow.piece.namespace}.svc:8888"

    def _ray(self) -> None:
        if "kuberay" not in self.selection:
            return
        operator = self._upstream("kuberay")
        for namespace, space in self.systems.spaces.items():
            after = [*operator.ready, *space.ready]
            args = RayArgs(self.cluster, namespace, space.who, operator.piece.namespace, after)
            Ray(f"ray-{namespace.removeprefix(f'{self.cluster.namespace}-')}", args, self.opts)

    def _gpu_pools(self) -> None:
        if Capability.GPU_POOLS not in self.spec.capabilities or not self.spec.gpu_pools:
            return
        exporter, _ = self._upstream("dcgm-exporter"), self._upstream("nvidia-device-plugin")
        after = [*self.platform.ready, *exporter.ready, *self.base.watched]
        nodes = None
        if (below := self.ground.substrate) is not None:
            after += self._upstream("karpenter").ready
            made = below.nodes
            nodes = AwsNodes(below.cluster.name, made.role, made.image, made.subnets, made.security_groups)
        args = GpuPoolsArgs(
            self.cluster,
            self.spec.gpu_pools,
            exporter.piece.namespace,
            nodes=nodes,
            kept=below.nodes.groups if below else (),
            after=after,
        )
        GpuPools("gpu", args, self.opts)

    def _admission(self) -> None:
        # Operators put images of their own into people's namespaces; all of the bill's, so that a stage changes none.
        known = {*self.cluster.images.values(), *bill_images(self.selection, mirror_of(self.spec))}
        tagged = sorted(image for image in known if "@sha256:" not in image)
        Admission("admission", AdmissionArgs(self.cluster, tagged, self.platform.ready), self.opts)

    def _secrets(self) -> None:
        spaces = [one for space in self.systems.spaces.values() for one in space.ready]
        spaces += [one for space in self.operators.values() for one in space.ready]
        after = [*self._upstream("external-secrets").ready, *self.platform.ready, *spaces]
        # The public keys of tokens are no secret, and no Secret either.
        references = [one for one in self.cluster.needed if one.name != KEYS]
        region = self.ground.substrate.region if self.ground.substrate else ""
        Secrets("secrets", SecretsArgs(self.cluster, references, region, after), self.opts)


def _facts(spec: EnvironmentSpec) -> Mapping[str, object]:
    """Return what may not change while the environment is deployed; a stage may, so it is not among them."""
    return spec.model_dump(mode="json", include={"name", "target", "storage"})
