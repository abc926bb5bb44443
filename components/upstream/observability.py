"""The bill's pieces that measure and keep: metrics and alerts, dashboards, logs."""

from __future__ import annotations

from mlstrata.components.upstream.image_values import Image, Part, Value, split
from mlstrata.components.upstream.optional_images import THANOS
from mlstrata.components.upstream.package import (
    Chart,
    Manifest,
    Scope,
    UpstreamPackage,
    definitions,
    images_with_values,
)
from mlstrata.environments.stages import Capability

_C = Capability
AGPL = "AGPL-3.0-only"
_APACHE = "Apache-2.0"


def _hex(path: str) -> tuple[Value, ...]:
    return split(path, "sha", Part.HEX, registry=True)


OBSERVING: tuple[UpstreamPackage, ...] = (
    UpstreamPackage(
        name="kube-prometheus-stack",
        version="v0.93.1",
        licence=_APACHE,
        sources=(Chart("https://prometheus-community.github.io/helm-charts", "kube-prometheus-stack", "88.5.3"),),
        # No chart: its release would stay with its namespace, and Helm installs none over one that is there.
        crd_source=Manifest(
            "https://github.com/prometheus-operator/prometheus-operator/releases/download/v0.93.1/stripped-down-crds.yaml"
        ),
        crds=(
            *definitions("monitoring.coreos.com", "alertmanagerconfigs", "alertmanagers", "podmonitors", "probes"),
            *definitions("monitoring.coreos.com", "prometheusagents", "prometheuses", "prometheusrules"),
            *definitions("monitoring.coreos.com", "scrapeconfigs", "servicemonitors", "thanosrulers"),
        ),
        images=(
            *images_with_values(
                "quay.io/prometheus-operator/",
                "v0.93.1",
                {
                    "prometheus-operator": _hex("prometheusOperator.image"),
                    "prometheus-config-reloader": _hex("prometheusOperator.prometheusConfigReloader.image"),
                    "admission-webhook": _hex("prometheusOperator.admissionWebhooks.deployment.image"),
                },
            ),
            # Ours name their image; the operator puts its own tag behind the name for one that does not.
            *(
                Image(
                    f"quay.io/prometheus/{name}",
                    tag,
                    helm_values=(
                        Value(f"prometheusOperator.{name}DefaultBaseImageRegistry", Part.REGISTRY),
                        Value(f"prometheusOperator.{name}DefaultBaseImage", Part.PATH),
                    ),
                )
                for name, tag in (("prometheus", "v3.14.0-distroless"), ("alertmanager", "v0.34.0"))
            ),
            Image(
                "quay.io/prometheus/node-exporter",
                "v1.12.1",
                helm_values=split("prometheus-node-exporter.image", "digest", registry=True),
            ),
            Image(
                "registry.k8s.io/kube-state-metrics/kube-state-metrics",
                "v2.20.0",
                helm_values=split("kube-state-metrics.image", "sha", registry=True),
            ),
            Image(
                "ghcr.io/jkroepke/kube-webhook-certgen",
                "1.8.7",
                helm_values=_hex("prometheusOperator.admissionWebhooks.patch.image"),
            ),
        ),
        offered=THANOS,
        # By itself it puts an ending behind the tag, also behind one that it is told: an image that no mirror has.
        values={"prometheus-node-exporter": {"image": {"distroless": False}}},
        namespace="monitoring",
        privileged="node-exporter reads the host's network, processes and file systems",
        capabilities=frozenset({_C.ALERTS}),
        after=("cert-manager",),
    ),
    UpstreamPackage(
        name="grafana",
        version="13.2.0",
        licence=AGPL,
        sources=(Chart("https://grafana-community.github.io/helm-charts", "grafana", "12.11.1"),),
        values={"testFramework": {"enabled": False}},  # its test has an image of its own
        images=(
            Image("docker.io/grafana/grafana", "13.2.0", helm_values=_hex("image")),
            Image("quay.io/kiwigrid/k8s-sidecar", "2.10.1", helm_values=_hex("sidecar.image")),
        ),
        namespace="monitoring",
        scope=Scope.NAMESPACE,
        capabilities=frozenset({_C.ALERTS}),
        after=("kube-prometheus-stack",),
        optional="no dashboards; metrics and alerts stay, to be looked at with the organisation's own",
    ),
    UpstreamPackage(
        name="loki",
        version="3.7.6",
        licence=AGPL,
        sources=(),  # typed objects of our own, so that a plan sees how long logs are kept
        images=(Image("docker.io/grafana/loki", "3.7.6"),),
        namespace="monitoring",
        scope=Scope.NAMESPACE,
        capabilities=frozenset({_C.ALERTS}),
        after=("kube-prometheus-stack",),
        optional="no log store; logs stay where the cluster keeps them",
    ),
    UpstreamPackage(
        name="alloy",
        version="v1.19.2",
        licence=_APACHE,
        sources=(),  # typed objects of our own, beside the log store that it fills
        images=(Image("docker.io/grafana/alloy", "v1.19.2"),),
        namespace="monitoring",
        scope=Scope.NAMESPACE,
        capabilities=frozenset({_C.ALERTS}),
        after=("loki",),
    ),
)
