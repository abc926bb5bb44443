"""The logs of an environment's pods: taken from the API server by Alloy, kept by Loki for as long as the file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.manifests import claim, manifest, rights, service_account
from mlstrata.components.monitoring.outputs import LogsOutputs
from mlstrata.components.namespaces.outputs import NamespacesOutputs
from mlstrata.components.naming.forms import part
from mlstrata.components.network_policies import pods
from mlstrata.components.platform.kubernetes import priority
from mlstrata.components.workload.args import WorkloadArgs
from mlstrata.components.workload.kubernetes import Workload
from mlstrata.components.workload.pods import Container, account, pod

PORT = 3100
_DATA, _CONFIG = "/data", "/etc/mlstrata"
SINCE = "2024-04-01"
"""The day from which the present form of Loki's index holds; any day before the first log."""


@dataclass(frozen=True)
class LogsArgs:
    """Arguments of `Logs`.

    Attributes:
        cluster: Where.
        namespaces: Whose pods' logs are kept.
        retention_days: How long, in days.
        size: Of the store's volume.
        after: What must be there before it: the namespaces.
    """

    cluster: Cluster
    namespaces: Sequence[str]
    retention_days: int
    size: str = "50Gi"
    after: Sequence[pulumi.Resource] = ()


class Logs(ClusterComponent):
    """A store of logs, and what fills it.

    What fills it asks the API server, so it needs neither root nor a node's file system, and may read these namespaces'
    logs only.

    Attributes:
        url: The store's address inside the cluster.
    """

    def __init__(self, name: str, args: LogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitoring", name, args.cluster, opts)
        self.args, self.space = args, args.cluster.monitoring
        self.store, self.collector = (part(args.cluster.namespace, what) for what in ("logs", "logs-collector"))
        self.app = {"app.kubernetes.io/name": self.store}
        after = list(args.after)
        store = self._keep(after)
        rights = [self.add(role, one, after=after) for role, one in self._rights().items()]
        self._collect([store, *rights])
        self.url = f"http://{self.store}.{self.space}.svc:{PORT}"
        self.register_outputs({})

    def _object(self, version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
        return manifest(version, kind, name, self.space, labels=self.app, **rest)

    def _keep(self, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        before = [
            self.add("account", account(self._object("v1", "ServiceAccount", self.store), {}), after=after),
            self.add("settings", self._object("v1", "ConfigMap", self.store, data=self._settings()), after=after),
        ]
        # The server does not wait for it: Pulumi has a service wait for the pods behind it.
        self.add("service", self._service(), after=after)
        budget = {"maxUnavailable": 1, "selector": {"matchLabels": self.app}}
        self.add("budget", self._object("policy/v1", "PodDisruptionBudget", self.store, spec=budget), after=after)
        monitor = {"endpoints": [{"port": "http", "interval": "30s"}], "selector": {"matchLabels": self.app}}
        kind = "monitoring.coreos.com/v1"
        self.add("monitor", self._object(kind, "ServiceMonitor", self.store, spec=monitor), after=after)
        return self.add("", self._server(), part="logs", after=before, keep=True)

    def _service(self) -> dict[str, Any]:
        port = {"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}
        spec = {"ports": [port], "selector": self.app, "type": "ClusterIP"}
        return self._object("v1", "Service", self.store, spec=spec)

    def _settings(self) -> dict[str, str]:
        files = {"filesystem": {"chunks_directory": f"{_DATA}/chunks", "rules_directory": f"{_DATA}/rules"}}
        index = {"prefix": "index_", "period": "24h"}
        schema = {"from": SINCE, "store": "tsdb", "object_store": "filesystem", "schema": "v13", "index": index}
        settings = {
            "auth_enabled": False,
            "server": {"http_listen_port": PORT, "log_level": "warn"},
            "common": {
                "path_prefix": _DATA,
                "replication_factor": 1,
                "ring": {"kvstore": {"store": "inmemory"}},
                "storage": files,
            },
            "schema_config": {"configs": [schema]},
            "compactor": {
                "working_directory": f"{_DATA}/compactor",
                "retention_enabled": True,
                "delete_request_store": "filesystem",
            },
            "limits_config": {"retention_period": f"{self.args.retention_days * 24}h"},
            "analytics": {"reporting_enabled": False},
        }
        return {"loki.yaml": yaml.safe_dump(settings, sort_keys=True)}

    def _server(self) -> dict[str, Any]:
        container = Container(
            name="loki",
            image=self.cluster.image("loki"),
            args=[f"-config.file={_CONFIG}/loki.yaml", "-target=all"],
            ports={"http": PORT},
            ready="/ready",
            alive="/loki/api/v1/status/buildinfo",
            mounts={"settings": _CONFIG, "data": _DATA, "tmp": "/tmp"},  # noqa: S108 - a folder of its own
            resources=self.cluster.size("logs"),
        )
        volumes: dict[str, dict[str, Any]] = {
            "settings": {"configMap": {"name": self.store}},
            "tmp": {"emptyDir": {}},
        }
        spec = pod([container], account=self.store, volumes=volumes, priority=priority(self.cluster, "platform"))
        classified = {"mlstrata.io/data-classification": "internal"}
        made = self._object("apps/v1", "StatefulSet", self.store)
        labels = self.labelled(made, "logs")["metadata"]["labels"]
        made["spec"] = {
            "replicas": 1,
            "serviceName": self.store,
            "selector": {"matchLabels": self.app},
            "template": {"metadata": {"labels": {**labels, **classified}}, "spec": spec},
            "volumeClaimTemplates": [
                {"metadata": {"name": "data", "labels": classified}, "spec": claim(self.cluster, self.args.size)}
            ],
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        }
        made["metadata"] = {**made["metadata"], "labels": {**self.app, **classified}}
        return made

    def _rights(self) -> dict[str, dict[str, Any]]:
        """Return what the collector may read: the pods of these namespaces and what they log, nothing else."""
        made: dict[str, dict[str, Any]] = {}
        rules = [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        ]
        for space in self.args.namespaces:
            reader = service_account(self.collector, self.space)
            made[f"{space}-role"], made[f"{space}-binding"] = rights("logs", space, rules, [reader])
        return made

    def _collect(self, after: Sequence[pulumi.Resource]) -> None:
        data = {
            "config.alloy": _pipeline(self.args.namespaces, f"http://{self.store}:{PORT}", self.cluster.environment)
        }
        settings = manifest("v1", "ConfigMap", self.collector, self.space, data=data)
        made = self.add("collector-settings", settings, after=after)
        container = Container(
            name="alloy",
            image=self.cluster.image("alloy"),
            args=[
                "run",
                f"{_CONFIG}/config.alloy",
                f"--storage.path={_DATA}",
                "--server.http.listen-addr=0.0.0.0:8080",
                "--disable-reporting",
            ],
            ports={"metrics": 8080},
            ready="/-/ready",
            mounts={"settings": _CONFIG, "data": _DATA, "tmp": "/tmp"},  # noqa: S108 - a folder of its own
            resources=self.cluster.size("log_collector"),
        )
        Workload(
            self.collector,
            WorkloadArgs(
                cluster=self.cluster,
                namespace=self.space,
                containers=[container],
                volumes={
                    "settings": {"configMap": {"name": self.collector}},
                    "data": {"emptyDir": {"sizeLimit": "1Gi"}},
                    "tmp": {"emptyDir": {}},
                },
                callers=[pods(labels={"prometheus": self.cluster.namespace})],
                calls={"store": ([pods(labels=self.app)], [PORT])},
                metrics="/metrics",
                priority=priority(self.cluster, "platform"),
                token=True,
                # Two would send every line twice.
                strategy="Recreate",
                after=[made],
            ),
            self.child(),
        )


def _pipeline(namespaces: Sequence[str], store: str, environment: str) -> str:
    """Return Alloy's own configuration: which pods, under which labels, where to."""
    rules = {
        "__meta_kubernetes_namespace": "namespace",
        "__meta_kubernetes_pod_name": "pod",
        "__meta_kubernetes_pod_container_name": "container",
        "__meta_kubernetes_pod_label_mlstrata_io_system": "system",
        "__meta_kubernetes_pod_label_mlstrata_io_part": "part",
    }
    quoted = ", ".join(f'"{one}"' for one in sorted(namespaces))
    relabelled = "".join(
        f'  rule {{\n    source_labels = ["{source}"]\n    target_label  = "{target}"\n  }}\n'
        for source, target in rules.items()
    )
    return (
        f'discovery.kubernetes "pods" {{\n  role = "pod"\n  namespaces {{\n    names = [{quoted}]\n  }}\n}}\n\n'
        f'discovery.relabel "pods" {{\n  targets = discovery.kubernetes.pods.targets\n{relabelled}}}\n\n'
        'loki.source.kubernetes "pods" {\n  targets    = discovery.relabel.pods.output\n'
        "  forward_to = [loki.write.store.receiver]\n}\n\n"
        f'loki.write "store" {{\n  endpoint {{\n    url = "{store}/loki/api/v1/push"\n  }}\n'
        f'  external_labels = {{\n    environment = "{environment}",\n  }}\n}}\n'
    )


def build(site: ClusterSite) -> LogsOutputs:
    """Build the store of the logs of the platform's and every system's namespace."""
    namespaces = site.require(NamespacesOutputs)
    names = sorted([site.cluster.namespace, *namespaces.by_name])
    after = [*site.ready, *site.watched, *namespaces.ready]
    args = LogsArgs(site.cluster, names, max(1, site.spec.retention.logs.days), after=after)
    return LogsOutputs(Logs("logs", args, site.opts).url)
