"""What the upstream pieces of a cluster are told: values of charts, and the images of what we declare ourselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlstrata.components.cluster_inputs import ClusterInputs
from mlstrata.components.gpu.kubernetes import VALUES as GPU_VALUES
from mlstrata.components.gpu.sharing import plugin_values
from mlstrata.components.monitoring.kubernetes import GRAFANA_ADMIN, VALUES
from mlstrata.components.monitoring.kubernetes import PACKAGE as MONITORING
from mlstrata.components.monitoring.logs import PORT as LOGS_PORT
from mlstrata.components.naming.forms import part
from mlstrata.components.upstream.bill import PIECES
from mlstrata.components.upstream.selection import Selection, monitoring_of
from mlstrata.environments import EnvironmentSpec

VALUES_OF: dict[str, dict[str, Any]] = {
    "cert-manager": {"crds": {"enabled": False}, "global": {"leaderElection": {"namespace": "cert-manager"}}},
    # The definitions of the Gateway API and of Envoy Gateway come from a chart of their own.
    "envoy-gateway": {"crds": {"enabled": False}},
    MONITORING: VALUES,
    **GPU_VALUES,
    "grafana": {
        # With no secret named the chart would make a password at each rendering.
        "admin": {"existingSecret": GRAFANA_ADMIN},
        "sidecar": {"dashboards": {"enabled": True, "label": "grafana_dashboard", "searchNamespace": "ALL"}},
    },
    "seldon-core": {
        # With a certificate made at each rendering, every plan would show a change.
        "certManager": {"enabled": True},
        # The chart puts these into the container as they are, and by itself says none of it.
        "manager": {
            "containerSecurityContext": {
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "runAsNonRoot": True,
                    "seccompProfile": {"type": "RuntimeDefault"},
                }
            }
        },
        "istio": {"enabled": False},
        "ambassador": {"enabled": False},
        "usageMetrics": {"enabled": False},
    },
}
"""Values of the charts, by piece."""


def values_of(package: str, spec: EnvironmentSpec, inputs: ClusterInputs) -> dict[str, Any]:
    """Return the values of an upstream package's chart.

    Args:
        package: Its name in the bill of materials.
        spec: The environment: its Prometheus takes what carries its label, so the chart's own monitors need it.
        inputs: What its platform stands on.
    """
    values = {**VALUES_OF.get(package, {}), **inputs.values.get(package, {})}
    if package == "seldon-core" and any(pin.name == "keda" for pin in spec.upstream):
        values = {**values, "keda": {"enabled": True}}
    match package:
        case "kube-prometheus-stack":
            label = {"mlstrata.io/environment": spec.name}
            monitor = {"prometheus": {"monitor": {"additionalLabels": label}}}
            return {**values, "commonLabels": label, "kube-state-metrics": monitor, "prometheus-node-exporter": monitor}
        case "grafana":
            told = {**values, "datasources": {"datasources.yaml": _datasources(inputs.namespace)}}
            if monitoring_of(spec) != PIECES[MONITORING].namespace:
                # Beside another environment's: what the chart makes for the whole cluster has a name of its own.
                told["fullnameOverride"] = part(inputs.namespace, package)
            return told
        case "nvidia-device-plugin":
            return {**values, **plugin_values(spec.gpu_pools)}
    return values


def _datasources(namespace: str) -> dict[str, Any]:
    """Return where Grafana looks: the environment's Prometheus and log store, in its own namespace."""
    prometheus = {"name": "Prometheus", "uid": "prometheus", "type": "prometheus", "isDefault": True}
    logs = {"name": "Logs", "uid": "logs", "type": "loki", "url": f"http://{namespace}-logs:{LOGS_PORT}"}
    return {
        "apiVersion": 1,
        "datasources": [{**prometheus, "url": "http://prometheus-operated:9090"}, logs],
    }


def images(selection: Selection, own: Mapping[str, str]) -> dict[str, str]:
    """Return the images of typed objects by what runs in them; `own` are those of our own services."""
    wanted = {
        "postgres": ("postgres", "postgresql"),
        "seaweedfs": ("seaweedfs", "seaweedfs"),
        "loki": ("loki", "loki"),
        "alloy": ("alloy", "alloy"),
        "envoy": ("envoy-gateway", "envoy"),
        "prometheus": (MONITORING, "prometheus/prometheus"),
        "alertmanager": (MONITORING, "prometheus/alertmanager"),
    }
    return {**own} | {
        what: str(selection[name].image(end)) for what, (name, end) in wanted.items() if name in selection
    }
