"""Dashboards of an environment, from the very figures that its alerts go by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.gpu.rules import HELD, USED
from mlstrata.components.manifests import manifest
from mlstrata.services.alerts.rules import LATENCY, REFUSED, REQUESTS

LABEL = {"grafana_dashboard": "1"}
_WIDTH, _HEIGHT, _COLUMNS = 12, 8, 2


@dataclass(frozen=True)
class Panel:
    """A graph.

    Attributes:
        title: What it shows.
        unit: Grafana's name of its unit.
        queries: Legend to expression.
    """

    title: str
    unit: str
    queries: dict[str, str]


@dataclass(frozen=True)
class DashboardsArgs:
    """Arguments of `Dashboards`.

    Attributes:
        cluster: Where.
        gpus: There are pools of GPUs to look at.
        after: What must be there before it: the namespace.
    """

    cluster: Cluster
    gpus: bool = False
    after: Sequence[pulumi.Resource] = ()


class Dashboards(ClusterComponent):
    """One dashboard of the systems, one of the platform, one of GPUs where there are pools; Grafana finds them."""

    def __init__(self, name: str, args: DashboardsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitoring", name, args.cluster, opts)
        ours = f'namespace=~"{args.cluster.namespace}(-.+)?"'
        shown = {"systems": systems(), "platform": platform(ours)}
        if args.gpus:
            shown["gpus"] = gpus()
        for what, panels in shown.items():
            title = f"{args.cluster.environment}: {what}"
            text = json.dumps(dashboard(f"mlstrata-{args.cluster.environment}-{what}", title, panels), indent=1)
            data = {f"{args.cluster.environment}-{what}.json": text + "\n"}
            made = manifest("v1", "ConfigMap", f"dashboard-{what}", args.cluster.namespace, labels=LABEL, data=data)
            self.add(what, made, after=args.after)
        self.register_outputs({})


def systems() -> list[Panel]:
    """Return what consumers see of each system, by version."""
    rate = f"sum by (system, version) (rate({REQUESTS}[5m]))"
    failed = f'sum by (system) (rate({REQUESTS}{{code=~"5.."}}[5m])) / sum by (system) (rate({REQUESTS}[5m]))'
    refused = f'sum by (system, code) (rate({REQUESTS}{{code=~"4.."}}[5m]))'
    beyond = f"sum by (system, reason) (rate({REFUSED}[5m]))"
    quantile = "histogram_quantile({}, sum by (system, le) (rate(" + LATENCY + "_bucket[5m])))"
    withheld = "sum by (system, reason) (rate(mlstrata_predict_implausible_total[5m]))"
    return [
        Panel("Requests by version", "reqps", {"{{system}} v{{version}}": rate}),
        Panel("Share of requests that failed", "percentunit", {"{{system}}": failed}),
        Panel("Latency", "s", {f"{{{{system}}}} p{share}": quantile.format(share / 100) for share in (50, 99)}),
        Panel("Requests that were refused", "reqps", {"{{system}} {{code}}": refused}),
        Panel("Requests that were more than could be answered", "reqps", {"{{system}} {{reason}}": beyond}),
        Panel("Predictions withheld as implausible", "reqps", {"{{system}} {{reason}}": withheld}),
        Panel(
            "Versions in memory",
            "short",
            {"{{system}} v{{version}}": "sum by (system, version) (mlstrata_version_loaded)"},
        ),
    ]


def platform(ours: str) -> list[Panel]:
    """Return what the environment's pods take, of the namespaces that `ours` selects."""
    cpu = f'sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{{{ours}, container!=""}}[5m]))'
    memory = f'sum by (namespace, pod) (container_memory_working_set_bytes{{{ours}, container!=""}})'
    volumes = f"kubelet_volume_stats_used_bytes{{{ours}}} / kubelet_volume_stats_capacity_bytes{{{ours}}}"
    restarts = f"increase(kube_pod_container_status_restarts_total{{{ours}}}[1h])"
    return [
        Panel("Processors", "short", {"{{pod}}": cpu}),
        Panel("Memory", "bytes", {"{{pod}}": memory}),
        Panel("Volumes", "percentunit", {"{{persistentvolumeclaim}}": volumes}),
        Panel("Restarts in an hour", "short", {"{{pod}}": restarts}),
        Panel("Jobs that failed", "short", {"{{job_name}}": f"kube_job_status_failed{{{ours}}} > 0"}),
        Panel(
            "Pods that wait for a node", "short", {"{{pod}}": f'kube_pod_status_phase{{{ours}, phase="Pending"}} == 1'}
        ),
    ]


def gpus() -> list[Panel]:
    """Return what DCGM says of the pools' accelerators."""
    by, space = "{{Hostname}} GPU {{gpu}}", "{{exported_namespace}} {{pool}}"
    return [
        Panel("GPU utilisation", "percent", {by: "DCGM_FI_DEV_GPU_UTIL"}),
        Panel("GPU memory", "decmbytes", {by: "DCGM_FI_DEV_FB_USED"}),
        Panel("GPU temperature", "celsius", {by: "DCGM_FI_DEV_GPU_TEMP"}),
        Panel("GPU power", "watt", {by: "DCGM_FI_DEV_POWER_USAGE"}),
        Panel("GPUs that are held", "short", {space: HELD}),
        Panel("Use of GPUs that are held", "percent", {space: USED}),
    ]


def dashboard(uid: str, title: str, panels: Sequence[Panel]) -> dict[str, Any]:
    """Return a dashboard as Grafana reads it."""
    return {
        "uid": uid,
        "title": title,
        "tags": ["mlstrata"],
        "timezone": "utc",
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "panels": [_panel(at, panel) for at, panel in enumerate(panels)],
    }


def _panel(at: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(at, _COLUMNS)
    source = {"type": "prometheus", "uid": "prometheus"}
    return {
        "id": at + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": source,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": source, "expr": expression, "legendFormat": legend}
            for index, (legend, expression) in enumerate(panel.queries.items())
        ],
    }
