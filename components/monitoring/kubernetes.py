"""Prometheus and its alerts on a cluster, managed by the operator; scrapes and service levels are declared here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

from mlstrata.components.cluster import Cluster, ClusterComponent, Ownership
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.manifests import claim, manifest, rights, service_account
from mlstrata.components.monitoring.dashboards import Dashboards, DashboardsArgs
from mlstrata.components.monitoring.outputs import MonitoringOutputs
from mlstrata.components.network_policies import ANYWHERE, incoming, outgoing, pods
from mlstrata.components.site import UNOWNED
from mlstrata.environments.stages import Capability
from mlstrata.services.alerts.rules import Subject, system_groups
from mlstrata.services.alerts.settings import PLATFORM, ServiceLevel

KIND = "monitoring.coreos.com/v1"
RECEIVER = "alert-receiver"
PACKAGE = "kube-prometheus-stack"
"""The upstream package with the operator."""
GRAFANA_ADMIN = "grafana-admin"
"""Secret with Grafana's first user."""
NAME = "platform"
WEB, ALERTS, MESH = 9090, 9093, 9094
VALUES: dict[str, Any] = {
    # Definitions are installed apart; Prometheus and Alertmanager are declared here, for every plan to see.
    "crds": {"enabled": False},
    "prometheus": {"enabled": False},
    "alertmanager": {"enabled": False},
    "grafana": {"enabled": False},
    # With a certificate made at each rendering, every plan would show a change.
    "prometheusOperator": {"admissionWebhooks": {"certManager": {"enabled": True}}},
}


@dataclass(frozen=True)
class MonitoringArgs:
    """Arguments of `Monitoring`.

    Attributes:
        cluster: Where.
        retention_days: How long metrics are kept, in days.
        size: Of each Prometheus' volume.
        after: What must be there before it: the operator.
    """

    cluster: Cluster
    retention_days: int
    size: str = "50Gi"
    after: Sequence[pulumi.Resource] = ()


class Monitoring(ClusterComponent):
    """Metrics and alerts of an environment.

    Attributes:
        ready: What is scraped waits for.
    """

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitoring", name, args.cluster, opts)
        self.args, self.space = args, args.cluster.monitoring
        self.instance = args.cluster.namespace
        after = list(args.after)
        made = [self.add(role, manifest, after=after) for role, manifest in self._access().items()]
        openings = [self.add(role, policy, after=after) for role, policy in self._openings().items()]
        alertmanager = self.add("alertmanager", self._alertmanager(), after=[*made, *openings])
        prometheus = self.add(
            "prometheus", self._prometheus(), part="logs", after=[*made, *openings, alertmanager], keep=True
        )
        self.needs(self.cluster.namespace, RECEIVER, ("url",), "where alerts are sent: a webhook's address")
        self.add("routes", self._routes(), part="alert-route", after=[alertmanager])
        self.add("alerts", rules_of(self.cluster.namespace, "platform", _platform_rules(self.cluster)), after=after)
        self.ready: list[pulumi.Resource] = [prometheus]
        self.register_outputs({})

    def _object(self, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        return manifest(KIND, kind, self.instance, self.space, spec=dict(spec))

    def _access(self) -> dict[str, dict[str, Any]]:
        """Return the account of Prometheus and what it may look at: what there is to scrape, nothing more."""
        name = f"{self.instance}-prometheus"
        read = ["get", "list", "watch"]
        rules = [
            {"apiGroups": [""], "resources": ["services", "endpoints", "pods", "nodes"], "verbs": read},
            {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read},
            {"nonResourceURLs": ["/metrics", "/metrics/cadvisor"], "verbs": ["get"]},
        ]
        account = manifest("v1", "ServiceAccount", name, self.space, automountServiceAccountToken=False)
        role, binding = rights(name, "", rules, [service_account(name, self.space)])
        return {"account": account, "role": role, "binding": binding}

    def _openings(self) -> dict[str, dict[str, Any]]:
        space, name = self.space, self.instance
        prometheus, alerts = {"prometheus": name}, {"alertmanager": name}
        operator = pods(labels={"app.kubernetes.io/name": "prometheus-operator"})
        return {
            # What it scrapes says by itself whether it lets it in.
            "scrapes": outgoing(
                f"{name}-scrapes",
                space,
                of=prometheus,
                ports=[443, 6443, 10250, *SCRAPED],
                peers=[ANYWHERE, {"namespaceSelector": {}}],
            ),
            "queries": incoming(
                f"{name}-queries",
                space,
                to=prometheus,
                ports=[WEB],
                peers=[operator, pods(environment=self.cluster.environment)],
            ),
            "alerts": incoming(
                f"{name}-alerts",
                space,
                to=alerts,
                ports=[ALERTS, MESH],
                peers=[operator, pods(labels=prometheus), pods(labels=alerts)],
            ),
            "mesh": outgoing(f"{name}-mesh", space, of=alerts, ports=[MESH], peers=[pods(labels=alerts)]),
            "receiver": outgoing(f"{name}-receiver", space, of=alerts, ports=[443], peers=[ANYWHERE]),
        }

    def _environment(self) -> dict[str, Any]:
        return {"matchLabels": {"mlstrata.io/environment": self.cluster.environment}}

    def _pods(self) -> dict[str, Any]:
        return {
            "replicas": self.cluster.sizes.copies,
            "securityContext": {
                "fsGroup": 2000,
                "runAsGroup": 2000,
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "storage": {"volumeClaimTemplate": {"spec": claim(self.cluster, self.args.size)}},
            "priorityClassName": f"{self.cluster.namespace}-platform",
            "podMetadata": {"labels": self.labelled({"metadata": {"name": "pod"}})["metadata"]["labels"]},
        }

    def _prometheus(self) -> dict[str, Any]:
        everywhere = self._environment()
        selectors = {
            f"{kind}{what}": everywhere
            for kind in ("serviceMonitor", "podMonitor", "rule", "probe")
            for what in ("NamespaceSelector", "Selector")
        }
        spec = {
            **self._pods(),
            **selectors,
            "image": self.cluster.image("prometheus"),
            "serviceAccountName": f"{self.instance}-prometheus",
            "retention": f"{self.args.retention_days}d",
            "externalLabels": {"environment": self.cluster.environment},
            "alerting": {
                "alertmanagers": [
                    {"name": "alertmanager-operated", "namespace": self.space, "port": "web", "apiVersion": "v2"}
                ]
            },
            "resources": self.cluster.size("prometheus").manifest(),
        }
        return self._object("Prometheus", spec)

    def _alertmanager(self) -> dict[str, Any]:
        spec = {
            **self._pods(),
            "image": self.cluster.image("alertmanager"),
            "alertmanagerConfigNamespaceSelector": self._environment(),
            "alertmanagerConfigSelector": self._environment(),
            # By default a configuration sees the alerts of its own namespace only; this one is the whole environment's.
            "alertmanagerConfigMatcherStrategy": {"type": "None"},
            "resources": self.cluster.size("alertmanager").manifest(),
        }
        return self._object("Alertmanager", spec)

    def _routes(self) -> dict[str, Any]:
        url = {"key": "url", "name": RECEIVER}
        spec = {
            "route": {
                "receiver": "owners",
                "groupBy": ["system", "alertname"],
                "groupWait": "30s",
                "repeatInterval": "4h",
            },
            "receivers": [{"name": "owners", "webhookConfigs": [{"urlSecret": url, "sendResolved": True}]}],
        }
        return manifest(f"{KIND}alpha1", "AlertmanagerConfig", "owners", self.cluster.namespace, spec=spec)


SCRAPED = (5000, 6000, 8000, 8080, 8090, 8095, 8096, 9187, 9327, 9400, 19001)
"""Ports with metrics: the registry, serving, Seldon's executor, operators, the catalog, the recorder, the monitor,
Postgres, the object store, DCGM, Envoy."""


@dataclass(frozen=True)
class ServiceLevelsArgs:
    """Arguments of `ServiceLevels`.

    Attributes:
        cluster: Where.
        namespace: The system's namespace.
        ownership: Whose it is.
        service_level: The objectives of its service level.
        after: What must be there before it.
    """

    cluster: Cluster
    namespace: str
    ownership: Ownership
    service_level: ServiceLevel
    after: Sequence[pulumi.Resource] = ()


class ServiceLevels(ClusterComponent):
    """The alerts about a system's service level."""

    def __init__(self, name: str, args: ServiceLevelsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitoring", name, args.cluster, opts, ownership=args.ownership)
        self.add("rules", rules_of(args.namespace, name, system_groups(args.service_level)), after=args.after)
        self.register_outputs({})


def rules_of(namespace: str, name: str, groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return alerting rules as an object."""
    return manifest(KIND, "PrometheusRule", name, namespace, spec={"groups": list(groups)})


def groups_of(rules: str) -> list[dict[str, Any]]:
    """Return the groups of a file of rules, as this machine's Prometheus has it."""
    groups: list[dict[str, Any]] = yaml.safe_load(rules)["groups"]
    return groups


def _platform_rules(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the rules about pods, volumes and certificates of the environment's namespaces."""
    ours = f'namespace=~"{cluster.namespace}(-.+)?"'
    free = f"kubelet_volume_stats_available_bytes{{{ours}}} / kubelet_volume_stats_capacity_bytes{{{ours}}}"

    volume, job = "{{ $labels.persistentvolumeclaim }}", "{{ $labels.job_name }}"
    rule = Subject(PLATFORM, cluster.ownership.owner or UNOWNED).rule
    rules = [
        rule("ServiceDown", f"up{{{ours}}} == 0", "2m", "critical", summary="{{ $labels.job }} does not answer"),
        rule(
            "PodRestarts",
            f"increase(kube_pod_container_status_restarts_total{{{ours}}}[15m]) > 3",
            "0s",
            "warning",
            summary="{{ $labels.pod }} restarted over 3 times in 15 minutes",
        ),
        rule("VolumeNearlyFull", f"{free} < 0.1", "5m", "critical", summary=f"{volume} is 90 % full"),
        rule("JobFailed", f"kube_job_status_failed{{{ours}}} > 0", "1m", "warning", summary=f"the job {job} failed"),
        rule(
            "PodPending",
            f'kube_pod_status_phase{{{ours}, phase="Pending"}} == 1',
            "30m",
            "warning",
            summary="{{ $labels.pod }} has waited for a node for half an hour",
        ),
    ]
    return [{"name": "platform", "rules": rules}]


def build(site: ClusterSite) -> MonitoringOutputs:
    """Build Prometheus and its alerts, and the dashboards where the environment takes Grafana."""
    operator = site.upstream(PACKAGE)
    if operator.package.exists:
        # Of Grafana's pods upstream says less than `restricted` asks for.
        level = "baseline" if "grafana" in site.selection else "restricted"
        before = [*site.operators_in(site.cluster.monitoring, level).ready, *operator.ready]
    else:
        before = operator.ready
    days = max(1, site.spec.retention.logs.days)
    args = MonitoringArgs(site.cluster, days, after=[*before, *site.ready])
    monitoring = Monitoring("monitoring", args, site.opts)
    if "grafana" in site.selection:
        _grafana(site)
    within = f"{site.cluster.monitoring}.svc"
    addresses = {
        "prometheus": f"http://prometheus-operated.{within}:{WEB}",
        "alertmanager": f"http://alertmanager-operated.{within}:{ALERTS}",
    }
    # What is scraped or alerted on is declared by the kinds that the operator brings, before Prometheus or after.
    return MonitoringOutputs(addresses, [*before, *monitoring.ready])


def _grafana(site: ClusterSite) -> None:
    grafana = site.upstream("grafana")
    grafana.needs(grafana.package.namespace, GRAFANA_ADMIN, ("admin-user", "admin-password"), "Grafana's first user")
    pools = Capability.GPU_POOLS in site.spec.capabilities and bool(site.spec.gpu_pools)
    Dashboards("dashboards", DashboardsArgs(site.cluster, pools, site.ready), site.opts)
