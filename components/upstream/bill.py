"""The bill of materials: every upstream piece with its version, licence, source, CRDs and images.

What a component installs it takes from here, `piece("seldon-core").chart`; no version stands anywhere else.
Names, versions, CRDs and images were read in each project's own charts and manifests at the version given.
"""

from __future__ import annotations

from mlstrata.components.upstream.image_values import Image, split, whole
from mlstrata.components.upstream.observability import OBSERVING
from mlstrata.components.upstream.optional_images import SERVERS
from mlstrata.components.upstream.package import (
    Change,
    Chart,
    Kustomization,
    Manifest,
    Scope,
    UpstreamPackage,
    definitions,
    images,
    images_with_values,
)
from mlstrata.environments.stages import Capability

_C = Capability
BUSL = "BUSL-1.1"
_APACHE, _GPL2_WITH_FOSS, _POSTGRES = "Apache-2.0", "GPL-2.0-only", "PostgreSQL"
_KUBEFLOW = "https://github.com/kubeflow/pipelines"


BILL: tuple[UpstreamPackage, ...] = (
    UpstreamPackage(
        name="cert-manager",
        version="v1.21.1",
        licence=_APACHE,
        sources=(Chart("oci://quay.io/jetstack/charts", "cert-manager", "v1.21.1"),),
        crd_source=Manifest(
            "https://github.com/cert-manager/cert-manager/releases/download/v1.21.1/cert-manager.crds.yaml"
        ),
        crds=(
            *definitions("acme.cert-manager.io", "challenges", "orders"),
            *definitions("cert-manager.io", "certificaterequests", "certificates", "clusterissuers", "issuers"),
        ),
        images=images_with_values(
            "quay.io/jetstack/cert-manager-",
            "v1.21.1",
            {"controller": split("image", "digest")}
            | {
                name: split(f"{name}.image", "digest")
                for name in ("webhook", "cainjector", "startupapicheck", "acmesolver")
            },
        ),
        namespace="cert-manager",
        capabilities=frozenset({_C.GATEWAY, _C.SERVING}),
    ),
    UpstreamPackage(
        name="gateway-api",
        version="v1.6.1",
        licence=_APACHE,
        sources=(),
        # Envoy Gateway's own chart of these is too large for a release of Helm's, and installs none unless it is told.
        crd_source=Manifest(
            "https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.1/experimental-install.yaml"
        ),
        crds=(
            *definitions("gateway.networking.k8s.io", "backendtlspolicies", "gatewayclasses", "gateways"),
            *definitions("gateway.networking.k8s.io", "grpcroutes", "httproutes", "listenersets", "referencegrants"),
            *definitions("gateway.networking.k8s.io", "tcproutes", "tlsroutes", "udproutes"),
            *definitions("gateway.networking.x-k8s.io", "xbackends", "xbackendtrafficpolicies", "xmeshes"),
        ),
        namespace="envoy-gateway-system",
        capabilities=frozenset({_C.GATEWAY}),
    ),
    UpstreamPackage(
        name="envoy-gateway",
        version="v1.9.0",
        licence=_APACHE,
        sources=(Chart("oci://docker.io/envoyproxy", "gateway-helm", "v1.9.0"),),
        crd_source=Manifest("https://github.com/envoyproxy/gateway/releases/download/v1.9.0/envoy-gateway-crds.yaml"),
        crds=(
            *definitions("gateway.envoyproxy.io", "backends", "backendtrafficpolicies", "clienttrafficpolicies"),
            *definitions("gateway.envoyproxy.io", "envoyextensionpolicies", "envoypatchpolicies", "envoyproxies"),
            *definitions("gateway.envoyproxy.io", "httproutefilters", "securitypolicies"),
        ),
        images=(
            Image("docker.io/envoyproxy/gateway", "v1.9.0", helm_values=whole("global.images.envoyGateway.image")),
            Image(
                "docker.io/envoyproxy/envoy", "distroless-v1.39.0", helm_values=whole("global.images.envoyProxy.image")
            ),
            Image("docker.io/envoyproxy/ratelimit", "17b1956c", helm_values=whole("global.images.ratelimit.image")),
        ),
        namespace="envoy-gateway-system",
        capabilities=frozenset({_C.GATEWAY}),
        after=("cert-manager", "gateway-api"),
    ),
    UpstreamPackage(
        name="cloudnative-pg",
        version="1.30.0",
        licence=_APACHE,
        sources=(Chart("https://cloudnative-pg.github.io/charts", "cloudnative-pg", "0.29.0"),),
        crd_source=Kustomization("https://github.com/cloudnative-pg/cloudnative-pg", "config/crd", "v1.30.0"),
        values={"crds": {"create": False}},
        crds=(
            *definitions(
                "postgresql.cnpg.io", "backups", "clusterimagecatalogs", "clusters", "databaseroles", "databases"
            ),
            *definitions("postgresql.cnpg.io", "failoverquorums", "imagecatalogs", "poolers", "publications"),
            *definitions("postgresql.cnpg.io", "scheduledbackups", "subscriptions"),
        ),
        images=(Image("ghcr.io/cloudnative-pg/cloudnative-pg", "1.30.0", helm_values=split("image")),),
        namespace="cnpg-system",
        capabilities=frozenset({_C.REGISTRY}),
        after=("cert-manager",),
    ),
    UpstreamPackage(
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
    UpstreamPackage(
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
    UpstreamPackage(
        name="mlflow",
        version="3.17.2",
        licence=_APACHE,
        # Typed objects of our own, from our own image: its chart leaves database and migrations to the reader.
        sources=(),
        namespace="mlstrata",
        scope=Scope.NAMESPACE,
        capabilities=frozenset({_C.REGISTRY}),
        after=("postgres",),
    ),
    UpstreamPackage(
        name="kubeflow-pipelines",
        version="2.17.0",
        licence=_APACHE,
        sources=(
            Kustomization(_KUBEFLOW, "manifests/kustomize/cluster-scoped-resources", "2.17.0"),
            Kustomization(_KUBEFLOW, "manifests/kustomize/env/platform-agnostic", "2.17.0"),
        ),
        crds=(
            *definitions("app.k8s.io", "applications"),
            *definitions("kubeflow.org", "scheduledworkflows", "viewers"),
            *definitions("argoproj.io", "clusterworkflowtemplates", "cronworkflows", "workflowartifactgctasks"),
            *definitions("argoproj.io", "workfloweventbindings", "workflows", "workflowtaskresults"),
            *definitions("argoproj.io", "workflowtasksets", "workflowtemplates"),
        ),
        images=(
            *images("ghcr.io/kubeflow/kfp-", "2.17.0", "api-server", "cache-deployer", "cache-server", "driver"),
            *images("ghcr.io/kubeflow/kfp-", "2.17.0", "frontend", "launcher", "metadata-envoy", "metadata-writer"),
            *images("ghcr.io/kubeflow/kfp-", "2.17.0", "persistence-agent", "scheduled-workflow-controller"),
            *images("ghcr.io/kubeflow/kfp-", "2.17.0", "viewer-crd-controller", "visualization-server"),
            Image("gcr.io/tfx-oss-public/ml_metadata_store_server", "1.14.0"),
            Image("quay.io/argoproj/workflow-controller", "v4.0.5"),
            Image("quay.io/argoproj/argoexec", "v4.0.5"),
            Image("ghcr.io/chrislusf/seaweedfs", "4.34"),
            Image("docker.io/library/mysql", "8.4"),
            Image("docker.io/alpine/k8s", "1.36.2"),
            Image("docker.io/library/alpine", "3.23"),
        ),
        # What cached steps of its first version run; there are none here.
        offered=(Image("ghcr.io/containerd/busybox", "latest"),),
        rendered_images=True,
        namespace="kubeflow",
        privileged="its own manifests set no security context that Pod Security `restricted` accepts",
        capabilities=frozenset({_C.PIPELINES}),
        after=("cert-manager",),
    ),
    UpstreamPackage(
        name="mysql",
        version="8.4",
        licence=_GPL2_WITH_FOSS,
        sources=(),  # it comes with kubeflow-pipelines; listed for its licence
        images=(Image("docker.io/library/mysql", "8.4"),),
        namespace="kubeflow",
        scope=Scope.NAMESPACE,
        capabilities=frozenset({_C.PIPELINES}),
    ),
    UpstreamPackage(
        name="seldon-core",
        version="1.17.1",
        licence=_APACHE,
        sources=(Chart("https://storage.googleapis.com/seldon-charts", "seldon-core-operator", "1.17.1"),),
        crd_source=Manifest(
            # What its own tests install: the other copies lack autoscaling/v2, or what stands behind a unit.
            "https://raw.githubusercontent.com/SeldonIO/seldon-core/v1.17.1/operator/testing/"
            "machinelearning.seldon.io_seldondeployments.yaml"
        ),
        values={"crd": {"create": False}},
        crds=definitions("machinelearning.seldon.io", "seldondeployments"),
        images=(
            *images_with_values(
                "docker.io/seldonio/",
                "1.17.1",
                {
                    "seldon-core-operator": split("image", registry=True),
                    "seldon-core-executor": split("executor.image", registry=True),
                    "rclone-storage-initializer": whole("storageInitializer.image"),
                    "alibiexplainer": whole("explainer.image"),
                },
            ),
            Image(
                "docker.io/seldonio/mab_epsilon_greedy",
                "1.17.1",
                no_value_reason="a SeldonDeployment that has it names it",
            ),
        ),
        offered=SERVERS,
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
    *OBSERVING,
    UpstreamPackage(
        name="feast",
        version="0.66.0",
        licence=_APACHE,
        sources=(
            Manifest(
                "https://raw.githubusercontent.com/feast-dev/feast/refs/tags/v0.66.0/infra/feast-operator/dist/install.yaml"
            ),
        ),
        crds=definitions("feast.dev", "featurestores"),
        images=(
            *images("quay.io/feastdev/", "0.66.0", "feast-operator", "feature-server"),
            Image("quay.io/openshift/origin-cli", "4.17"),
        ),
        namespace="feast-operator-system",
        baseline="neither its manifest nor the pods that it makes for a store say what `restricted` asks them to",
        capabilities=frozenset({_C.FEATURE_STORE}),
    ),
    UpstreamPackage(
        name="kuberay",
        version="v1.7.0",
        licence=_APACHE,
        sources=(Chart("https://ray-project.github.io/kuberay-helm", "kuberay-operator", "1.7.0"),),
        crd_source=Kustomization("https://github.com/ray-project/kuberay", "ray-operator/config/crd", "v1.7.0"),
        crds=definitions("ray.io", "rayclusters", "raycronjobs", "rayjobs", "rayservices"),
        images=(Image("quay.io/kuberay/operator", "v1.7.0", helm_values=split("image")),),
        namespace="ray-system",
        capabilities=frozenset({_C.DISTRIBUTED_TRAINING}),
    ),
    UpstreamPackage(
        name="nvidia-device-plugin",
        version="v0.20.0",
        licence=_APACHE,
        sources=(Chart("https://nvidia.github.io/k8s-device-plugin", "nvidia-device-plugin", "0.20.0"),),
        images=(Image("nvcr.io/nvidia/k8s-device-plugin", "v0.20.0", helm_values=split("image")),),
        namespace="gpu-system",
        privileged="it hands the node's devices to the kubelet",
        capabilities=frozenset({_C.GPU_POOLS}),
    ),
    UpstreamPackage(
        name="dcgm-exporter",
        version="4.8.2",
        licence=_APACHE,
        sources=(Chart("https://nvidia.github.io/dcgm-exporter/helm-charts", "dcgm-exporter", "4.8.2"),),
        images=(Image("nvcr.io/nvidia/k8s/dcgm-exporter", "4.5.3-4.8.2-distroless", helm_values=split("image")),),
        namespace="gpu-system",
        privileged="it reads the node's GPUs through their driver",
        capabilities=frozenset({_C.GPU_POOLS}),
        after=("kube-prometheus-stack",),
    ),
    UpstreamPackage(
        name="karpenter",
        version="1.14.1",
        licence=_APACHE,
        sources=(Chart("oci://public.ecr.aws/karpenter", "karpenter", "1.14.1"),),
        crd_source=Chart("oci://public.ecr.aws/karpenter", "karpenter-crd", "1.14.1"),
        crds=(
            *definitions("autoscaling.x-k8s.io", "capacitybuffers"),
            *definitions("karpenter.k8s.aws", "ec2nodeclasses"),
            *definitions("karpenter.sh", "nodeclaims", "nodeoverlays", "nodepools"),
        ),
        images=(
            Image(
                "public.ecr.aws/karpenter/controller",
                "1.14.1",
                "sha256:723130949e4cab989461ff07d1be4cd781d63515432494641b33c235f300ae23",
                helm_values=split("controller.image", "digest"),
            ),
        ),
        namespace="karpenter",
        capabilities=frozenset({_C.GPU_POOLS}),
        targets=frozenset({"aws"}),
    ),
    UpstreamPackage(
        name="external-secrets",
        version="v2.9.0",
        licence=_APACHE,
        sources=(Chart("https://charts.external-secrets.io", "external-secrets", "2.9.0"),),
        crd_source=Manifest(
            "https://raw.githubusercontent.com/external-secrets/external-secrets/v2.9.0/deploy/crds/bundle.yaml"
        ),
        values={"installCRDs": False},
        crds=(
            *definitions("external-secrets.io", "clusterexternalsecrets", "clusterpushsecrets", "clustersecretstores"),
            *definitions("external-secrets.io", "externalsecrets", "pushsecrets", "secretstores"),
            *definitions(
                "generators.external-secrets.io", "acraccesstokens", "beyondtrustworkloadcredentialsdynamicsecrets"
            ),
            *definitions("generators.external-secrets.io", "cloudsmithaccesstokens", "clustergenerators"),
            *definitions("generators.external-secrets.io", "ecrauthorizationtokens", "fakes", "gcraccesstokens"),
            *definitions(
                "generators.external-secrets.io", "generatorstates", "githubaccesstokens", "gitlabdeploytokens"
            ),
            *definitions(
                "generators.external-secrets.io", "grafanas", "mfas", "passwords", "quayaccesstokens", "sshkeys"
            ),
            *definitions(
                "generators.external-secrets.io", "stssessiontokens", "uuids", "vaultdynamicsecrets", "webhooks"
            ),
        ),
        images=(
            Image(
                "ghcr.io/external-secrets/external-secrets",
                "v2.9.0",
                helm_values=(*split("image"), *split("webhook.image"), *split("certController.image")),
            ),
        ),
        namespace="external-secrets",
        capabilities=frozenset({_C.SECRETS}),
    ),
    UpstreamPackage(
        name="keda",
        version="2.20.2",
        licence=_APACHE,
        sources=(Chart("https://kedacore.github.io/charts", "keda", "2.20.2"),),
        crd_source=Kustomization("https://github.com/kedacore/keda", "config/crd", "v2.20.2"),
        values={"crds": {"install": False}},
        crds=(
            *definitions("eventing.keda.sh", "cloudeventsources", "clustercloudeventsources"),
            *definitions("keda.sh", "clustertriggerauthentications", "scaledjobs", "scaledobjects"),
            *definitions("keda.sh", "triggerauthentications"),
        ),
        images=images_with_values(
            "ghcr.io/kedacore/",
            "2.20.2",
            {
                "keda": split("image.keda", registry=True),
                "keda-metrics-apiserver": split("image.metricsApiServer", registry=True),
                "keda-admission-webhooks": split("image.webhooks", registry=True),
            },
        ),
        namespace="keda",
    ),
)

PIECES: dict[str, UpstreamPackage] = {one.name: one for one in BILL}


def piece(name: str) -> UpstreamPackage:
    """Return the piece called `name`, at the version that mlstrata was tested with.

    Raises:
        KeyError: there is none; the message lists those there are.
    """
    try:
        return PIECES[name]
    except KeyError:
        raise KeyError(f"no upstream piece '{name}'; allowed {', '.join(PIECES)}") from None
