"""The bill of materials: every upstream piece with its version, licence, source, CRDs and images.

What a component installs it takes from here, `piece("seldon-core").chart`; no version stands anywhere else.
Names, versions, CRDs and images were read in each project's own charts and manifests at the version given.
"""

from __future__ import annotations

from components.upstream.piece import Change, Chart, Image, Kustomization, Manifest, Piece, Scope
from environments.stages import Capability

_C = Capability
AGPL, BUSL = "AGPL-3.0-only", "BUSL-1.1"
_APACHE, _GPL2_WITH_FOSS, _POSTGRES = "Apache-2.0", "GPL-2.0-only", "PostgreSQL"
_KUBEFLOW = "https://github.com/kubeflow/pipelines"


def _crds(group: str, *plurals: str) -> tuple[str, ...]:
    return tuple(f"{plural}.{group}" for plural in plurals)


def _images(prefix: str, tag: str, *names: str) -> tuple[Image, ...]:
    return tuple(Image(f"{prefix}{name}", tag) for name in names)


BILL: tuple[Piece, ...] = (
    Piece(
        name="cert-manager",
        version="v1.21.1",
        licence=_APACHE,
        sources=(Chart("oci://quay.io/jetstack/charts", "cert-manager", "v1.21.1"),),
        crd_source=Manifest(
            "https://github.com/cert-manager/cert-manager/releases/download/v1.21.1/cert-manager.crds.yaml"
        ),
        crds=(
            *_crds("acme.cert-manager.io", "challenges", "orders"),
            *_crds("cert-manager.io", "certificaterequests", "certificates", "clusterissuers", "issuers"),
        ),
        images=_images(
            "quay.io/jetstack/cert-manager-", "v1.21.1", "controller", "webhook", "cainjector", "startupapicheck"
        ),
        namespace="cert-manager",
        capabilities=frozenset({_C.GATEWAY, _C.SERVING}),
    ),
    Piece(
        name="envoy-gateway",
        version="v1.9.0",
        licence=_APACHE,
        sources=(Chart("oci://docker.io/envoyproxy", "gateway-helm", "v1.9.0"),),
        crd_source=Chart("oci://docker.io/envoyproxy", "gateway-crds-helm", "v1.9.0"),
        crds=(
            *_crds("gateway.networking.k8s.io", "backendtlspolicies", "gatewayclasses", "gateways"),
            *_crds("gateway.networking.k8s.io", "grpcroutes", "httproutes", "listenersets", "referencegrants"),
            *_crds("gateway.networking.k8s.io", "tcproutes", "tlsroutes", "udproutes"),
            *_crds("gateway.networking.x-k8s.io", "xbackends", "xbackendtrafficpolicies", "xmeshes"),
            *_crds("gateway.envoyproxy.io", "backends", "backendtrafficpolicies", "clienttrafficpolicies"),
            *_crds("gateway.envoyproxy.io", "envoyextensionpolicies", "envoypatchpolicies", "envoyproxies"),
            *_crds("gateway.envoyproxy.io", "httproutefilters", "securitypolicies"),
        ),
        images=(
            Image("docker.io/envoyproxy/gateway", "v1.9.0"),
            Image("docker.io/envoyproxy/envoy", "distroless-v1.39.0"),
            Image("docker.io/envoyproxy/ratelimit", "17b1956c"),
        ),
        namespace="envoy-gateway-system",
        capabilities=frozenset({_C.GATEWAY}),
        after=("cert-manager",),
    ),
    Piece(
        name="cloudnative-pg",
        version="1.30.0",
        licence=_APACHE,
        sources=(Chart("https://cloudnative-pg.github.io/charts", "cloudnative-pg", "0.29.0"),),
        crd_source=Kustomization("https://github.com/cloudnative-pg/cloudnative-pg", "config/crd", "v1.30.0"),
        values={"crds": {"create": False}},
        crds=(
            *_crds("postgresql.cnpg.io", "backups", "clusterimagecatalogs", "clusters", "databaseroles", "databases"),
            *_crds("postgresql.cnpg.io", "failoverquorums", "imagecatalogs", "poolers", "publications"),
            *_crds("postgresql.cnpg.io", "scheduledbackups", "subscriptions"),
        ),
        images=(Image("ghcr.io/cloudnative-pg/cloudnative-pg", "1.30.0"),),
        namespace="cnpg-system",
        capabilities=frozenset({_C.REGISTRY}),
        after=("cert-manager",),
    ),
    Piece(
        name="postgres",
        version="18.4",
        licence=_POSTGRES,
        sources=(),
        images=(Image("ghcr.io/cloudnative-pg/postgresql", "18.4-system-trixie"),),
        namespace="mlstrata",
        scope=Scope.NAMESPACE,
        capabilities=frozenset({_C.REGISTRY}),
        after=("cloudnative-pg",),
    ),
    Piece(
        name="seaweedfs",
        version="4.34",
        licence=_APACHE,
        sources=(),  # typed objects of our own, where the organisation has no object store
        images=(Image("ghcr.io/chrislusf/seaweedfs", "4.34"),),
        namespace="mlstrata",
        scope=Scope.NAMESPACE,
        capabilities=frozenset({_C.REGISTRY}),
        targets=frozenset({"kubernetes"}),
    ),
    Piece(
        name="mlflow",
        version="3.17.2",
        licence=_APACHE,
        sources=(),  # typed objects of our own: its chart leaves database and migrations to the reader
        images=(Image("ghcr.io/mlflow/mlflow", "v3.17.2"),),
        namespace="mlstrata",
        scope=Scope.NAMESPACE,
        capabilities=frozenset({_C.REGISTRY}),
        after=("postgres",),
    ),
    Piece(
        name="kubeflow-pipelines",
        version="2.17.0",
        licence=_APACHE,
        sources=(
            Kustomization(_KUBEFLOW, "manifests/kustomize/cluster-scoped-resources", "2.17.0"),
            Kustomization(_KUBEFLOW, "manifests/kustomize/env/platform-agnostic", "2.17.0"),
        ),
        crds=(
            *_crds("pipelines.kubeflow.org", "pipelines", "pipelineversions"),
            *_crds("kubeflow.org", "scheduledworkflows", "viewers"),
            *_crds("argoproj.io", "clusterworkflowtemplates", "cronworkflows", "workflowartifactgctasks"),
            *_crds("argoproj.io", "workfloweventbindings", "workflows", "workflowtaskresults"),
            *_crds("argoproj.io", "workflowtasksets", "workflowtemplates"),
        ),
        images=(
            *_images("ghcr.io/kubeflow/kfp-", "2.17.0", "api-server", "cache-deployer", "cache-server", "driver"),
            *_images("ghcr.io/kubeflow/kfp-", "2.17.0", "frontend", "launcher", "metadata-envoy", "metadata-writer"),
            *_images("ghcr.io/kubeflow/kfp-", "2.17.0", "persistence-agent", "scheduled-workflow-controller"),
            *_images("ghcr.io/kubeflow/kfp-", "2.17.0", "viewer-crd-controller", "visualization-server"),
            Image("gcr.io/tfx-oss-public/ml_metadata_store_server", "1.14.0"),
            Image("quay.io/argoproj/workflow-controller", "v4.0.5"),
            Image("quay.io/argoproj/argoexec", "v4.0.5"),
            Image("ghcr.io/chrislusf/seaweedfs", "4.34"),
            Image("docker.io/library/mysql", "8.4"),
            Image("docker.io/alpine/k8s", "1.36.2"),
            Image("docker.io/library/alpine", "3.23"),
        ),
        rendered_images=True,
        namespace="kubeflow",
        privileged="its own manifests set no security context that Pod Security `restricted` accepts",
        capabilities=frozenset({_C.PIPELINES}),
        after=("cert-manager",),
    ),
    Piece(
        name="mysql",
        version="8.4",
        licence=_GPL2_WITH_FOSS,
        sources=(),  # it comes with kubeflow-pipelines; listed for its licence
        images=(Image("docker.io/library/mysql", "8.4"),),
        namespace="kubeflow",
        scope=Scope.NAMESPACE,
        capabilities=frozenset({_C.PIPELINES}),
    ),
    Piece(
        name="seldon-core",
        version="1.17.1",
        licence=_APACHE,
        sources=(Chart("https://storage.googleapis.com/seldon-charts", "seldon-core-operator", "1.17.1"),),
        crd_source=Manifest(
            "https://raw.githubusercontent.com/SeldonIO/seldon-core/v1.17.1/operator/config/crd_v1/bases/"
            "machinelearning.seldon.io_seldondeployments.yaml"
        ),
        values={"crd": {"create": False}},
        crds=_crds("machinelearning.seldon.io", "seldondeployments"),
        images=(
            *_images("docker.io/seldonio/", "1.17.1", "seldon-core-operator", "seldon-core-executor"),
            *_images("docker.io/seldonio/", "1.17.1", "rclone-storage-initializer", "alibiexplainer"),
            *_images("docker.io/seldonio/", "1.17.1", "mab_epsilon_greedy"),
        ),
        rendered_images=True,
        namespace="seldon-system",
        capabilities=frozenset({_C.SERVING}),
        after=("cert-manager",),
        changes=(
            Change(
                "1.18.0",
                BUSL,
                "Seldon Core 1.18 and later is under the Business Source License: no production use without a contract",
            ),
        ),
    ),
    Piece(
        name="kube-prometheus-stack",
        version="v0.93.1",
        licence=_APACHE,
        sources=(Chart("https://prometheus-community.github.io/helm-charts", "kube-prometheus-stack", "88.5.3"),),
        crd_source=Chart("https://prometheus-community.github.io/helm-charts", "prometheus-operator-crds", "31.0.1"),
        crds=(
            *_crds("monitoring.coreos.com", "alertmanagerconfigs", "alertmanagers", "podmonitors", "probes"),
            *_crds("monitoring.coreos.com", "prometheusagents", "prometheuses", "prometheusrules"),
            *_crds("monitoring.coreos.com", "scrapeconfigs", "servicemonitors", "thanosrulers"),
        ),
        images=(
            *_images("quay.io/prometheus-operator/", "v0.93.1", "prometheus-operator", "prometheus-config-reloader"),
            Image("quay.io/prometheus-operator/admission-webhook", "v0.93.1"),
            Image("quay.io/prometheus/prometheus", "v3.14.0-distroless"),
            Image("quay.io/prometheus/alertmanager", "v0.34.0"),
            Image("quay.io/prometheus/node-exporter", "v1.12.1"),
            Image("registry.k8s.io/kube-state-metrics/kube-state-metrics", "v2.20.0"),
            Image("ghcr.io/jkroepke/kube-webhook-certgen", "1.8.7"),
        ),
        namespace="monitoring",
        privileged="node-exporter reads the host's network, processes and file systems",
        capabilities=frozenset({_C.ALERTS}),
        after=("cert-manager",),
    ),
    Piece(
        name="grafana",
        version="13.2.0",
        licence=AGPL,
        sources=(Chart("https://grafana-community.github.io/helm-charts", "grafana", "12.11.1"),),
        images=(Image("docker.io/grafana/grafana", "13.2.0"), Image("quay.io/kiwigrid/k8s-sidecar", "2.10.1")),
        namespace="monitoring",
        scope=Scope.NAMESPACE,
        capabilities=frozenset({_C.ALERTS}),
        after=("kube-prometheus-stack",),
        optional="no dashboards; metrics and alerts stay, to be looked at with the organisation's own",
    ),
    Piece(
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
    Piece(
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
    Piece(
        name="feast",
        version="0.66.0",
        licence=_APACHE,
        sources=(
            Manifest(
                "https://raw.githubusercontent.com/feast-dev/feast/refs/tags/v0.66.0/infra/feast-operator/dist/install.yaml"
            ),
        ),
        crds=_crds("feast.dev", "featurestores"),
        images=(
            *_images("quay.io/feastdev/", "0.66.0", "feast-operator", "feature-server"),
            Image("quay.io/openshift/origin-cli", "4.17"),
        ),
        namespace="feast-operator-system",
        capabilities=frozenset({_C.FEATURE_STORE}),
    ),
    Piece(
        name="kuberay",
        version="v1.7.0",
        licence=_APACHE,
        sources=(Chart("https://ray-project.github.io/kuberay-helm", "kuberay-operator", "1.7.0"),),
        crd_source=Kustomization("https://github.com/ray-project/kuberay", "ray-operator/config/crd", "v1.7.0"),
        crds=_crds("ray.io", "rayclusters", "raycronjobs", "rayjobs", "rayservices"),
        images=(Image("quay.io/kuberay/operator", "v1.7.0"),),
        namespace="ray-system",
        capabilities=frozenset({_C.DISTRIBUTED_TRAINING}),
    ),
    Piece(
        name="nvidia-device-plugin",
        version="v0.20.0",
        licence=_APACHE,
        sources=(Chart("https://nvidia.github.io/k8s-device-plugin", "nvidia-device-plugin", "0.20.0"),),
        images=(Image("nvcr.io/nvidia/k8s-device-plugin", "v0.20.0"),),
        namespace="gpu-system",
        privileged="it hands the node's devices to the kubelet",
        capabilities=frozenset({_C.GPU_POOLS}),
    ),
    Piece(
        name="dcgm-exporter",
        version="4.8.2",
        licence=_APACHE,
        sources=(Chart("https://nvidia.github.io/dcgm-exporter/helm-charts", "dcgm-exporter", "4.8.2"),),
        images=(Image("nvcr.io/nvidia/k8s/dcgm-exporter", "4.5.3-4.8.2-distroless"),),
        namespace="gpu-system",
        privileged="it reads the node's GPUs through their driver",
        capabilities=frozenset({_C.GPU_POOLS}),
        after=("kube-prometheus-stack",),
    ),
    Piece(
        name="karpenter",
        version="1.14.1",
        licence=_APACHE,
        sources=(Chart("oci://public.ecr.aws/karpenter", "karpenter", "1.14.1"),),
        crd_source=Chart("oci://public.ecr.aws/karpenter", "karpenter-crd", "1.14.1"),
        crds=(
            *_crds("autoscaling.x-k8s.io", "capacitybuffers"),
            *_crds("karpenter.k8s.aws", "ec2nodeclasses"),
            *_crds("karpenter.sh", "nodeclaims", "nodeoverlays", "nodepools"),
        ),
        images=(
            Image(
                "public.ecr.aws/karpenter/controller",
                "1.14.1",
                "sha256:723130949e4cab989461ff07d1be4cd781d63515432494641b33c235f300ae23",
            ),
        ),
        namespace="karpenter",
        capabilities=frozenset({_C.GPU_POOLS}),
        targets=frozenset({"aws"}),
    ),
    Piece(
        name="external-secrets",
        version="v2.9.0",
        licence=_APACHE,
        sources=(Chart("https://charts.external-secrets.io", "external-secrets", "2.9.0"),),
        crd_source=Manifest(
            "https://raw.githubusercontent.com/external-secrets/external-secrets/v2.9.0/deploy/crds/bundle.yaml"
        ),
        values={"installCRDs": False},
        crds=(
            *_crds("external-secrets.io", "clusterexternalsecrets", "clusterpushsecrets", "clustersecretstores"),
            *_crds("external-secrets.io", "externalsecrets", "pushsecrets", "secretstores"),
        ),
        images=(Image("ghcr.io/external-secrets/external-secrets", "v2.9.0"),),
        namespace="external-secrets",
        capabilities=frozenset({_C.SECRETS}),
    ),
    Piece(
        name="keda",
        version="2.20.2",
        licence=_APACHE,
        sources=(Chart("https://kedacore.github.io/charts", "keda", "2.20.2"),),
        crd_source=Kustomization("https://github.com/kedacore/keda", "config/crd", "v2.20.2"),
        values={"crds": {"install": False}},
        crds=(
            *_crds("eventing.keda.sh", "cloudeventsources", "clustercloudeventsources"),
            *_crds("keda.sh", "clustertriggerauthentications", "scaledjobs", "scaledobjects"),
            *_crds("keda.sh", "triggerauthentications"),
        ),
        images=_images("ghcr.io/kedacore/", "2.20.2", "keda", "keda-metrics-apiserver", "keda-admission-webhooks"),
        namespace="keda",
    ),
)

PIECES: dict[str, Piece] = {one.name: one for one in BILL}


def piece(name: str) -> Piece:
    """Return the piece called `name`, at the version that mlstrata was tested with.

    Raises:
        KeyError: there is none; the message lists those there are.
    """
    try:
        return PIECES[name]
    except KeyError:
        raise KeyError(f"no upstream piece '{name}'; allowed {', '.join(PIECES)}") from None
