"""Images and models: pinned, from known registries, signed, in a format that runs no code."""

from __future__ import annotations

import re

from policies.graph import Resource, System
from policies.kubernetes import SELDON, WORKLOADS, containers, units
from policies.rule import (
    Context,
    Domain,
    Level,
    Rule,
    Severity,
    Verdicts,
    cannot_tell,
    fails,
    not_applicable,
    passes,
    spares,
    violates,
)
from policies.samples import DIGEST, HIGH_RISK, LIMITED
from policies.serving import serving
from policies.values import UNKNOWN, dig
from policies.world import cut, facts, having, nothing, put, without

PINNED = re.compile(r"@sha256:[0-9a-f]{64}$")
REGISTRIES = (
    "docker.io/alpine/",
    "docker.io/envoyproxy/",
    "docker.io/grafana/",
    "docker.io/library/",
    "docker.io/nginxinc/",
    "docker.io/seldonio/",
    "gcr.io/tfx-oss-public/",
    "ghcr.io/chrislusf/",
    "ghcr.io/cloudnative-pg/",
    "ghcr.io/external-secrets/",
    "ghcr.io/jkroepke/",
    "ghcr.io/kedacore/",
    "ghcr.io/kubeflow/",
    "ghcr.io/mlflow/",
    "ghcr.io/mlstrata/",
    "nvcr.io/nvidia/",
    "public.ecr.aws/",
    "quay.io/",
    "registry.k8s.io/",
)
"""Registries of what the platform is made of; a registry of one's own on AWS is known by its name."""
OWN_REGISTRY = re.compile(r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.(com|eu)(\.cn)?/")
ADMISSION = (
    "kubernetes:kyverno.io/v1:ClusterPolicy",
    "kubernetes:policies.kyverno.io/v1alpha1:ImageValidatingPolicy",
    "kubernetes:policy.sigstore.dev/v1beta1:ClusterImagePolicy",
)
PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".dill")
PICKLING_SERVERS = ("SKLEARN_SERVER",)


def _images(workload: Resource) -> dict[str, None]:
    """Return the images of a workload's containers, each once."""
    return dict.fromkeys(image for one in containers(workload) if (image := str(dig(one, "image", ""))))


def _pinned(workload: Resource, _: Context) -> Verdicts:
    for image in _images(workload):
        if not PINNED.search(image):
            yield fails(
                f"the image {image} of '{workload.name}' is not pinned, so it can change under the same name",
                "pin it by digest: NAME@sha256:…",
            )


def _known_registry(workload: Resource, _: Context) -> Verdicts:
    for image in _images(workload):
        if not image.startswith(REGISTRIES) and not OWN_REGISTRY.match(image):
            yield fails(
                f"the image {image} of '{workload.name}' comes from a registry that is not allowed",
                f"mirror it; allowed: a registry of yours on AWS, {', '.join(REGISTRIES)}",
            )


def _signed(context: Context) -> Verdicts:
    if not context.environment.production or not context.graph.of(*WORKLOADS):
        yield not_applicable("it is asked of clusters in production")
    elif not any(_verifies(policy) for policy in context.graph.of(*ADMISSION)):
        yield fails(
            "nothing in the cluster refuses images that nobody signed",
            "deploy a policy that verifies signatures and enforces it (Kyverno, sigstore)",
        )


def _verifies(policy: Resource) -> bool:
    if policy.kind == "ImageValidatingPolicy":
        return "Deny" in policy.all("spec.validationActions")
    if policy.kind == "ClusterImagePolicy":
        return bool(policy.get("spec.mode", "enforce") == "enforce")
    enforced = policy.get("spec.validationFailureAction", "Audit") == "Enforce"
    return enforced and any(dig(rule, "verifyImages") for rule in policy.all("spec.rules"))


def _safe(system: System, context: Context) -> Verdicts:
    if not context.environment.production:
        yield not_applicable("it is asked of production")
        return
    places = [str(system.get("model.source", ""))]
    for resource in serving(system):
        if not resource.type.startswith(SELDON):
            continue
        for predictor in resource.all("spec.predictors"):
            for unit in units(dig(predictor, "graph")):
                places.append(str(dig(unit, "modelUri", "")))
                if dig(unit, "implementation") in PICKLING_SERVERS:
                    yield fails("its server unpickles the model, which runs any code in it", "serve it by MLflow")
    for place in places:
        if place.lower().endswith(PICKLES):
            yield fails(f"the model {place} is a pickle, which runs any code in it", "keep it as skops or ONNX")


_IMAGE = "spec.predictors.0.componentSpecs.0.spec.containers.0.image"
_GRAPH = "spec.predictors.0.graph"
_RECORDER = "spec.template.spec.containers.0.image"

_KYVERNO = "signed-images"
_ALLOWED = (
    *("docker.io/alpine", "docker.io/envoyproxy", "docker.io/grafana", "docker.io/library", "docker.io/nginxinc"),
    *("docker.io/seldonio", "gcr.io/tfx-oss-public", "ghcr.io/chrislusf", "ghcr.io/cloudnative-pg"),
    *("ghcr.io/external-secrets", "ghcr.io/jkroepke", "ghcr.io/kedacore", "ghcr.io/kubeflow", "ghcr.io/mlflow"),
    *("ghcr.io/mlstrata", "nvcr.io/nvidia", "public.ecr.aws", "quay.io/b", "registry.k8s.io"),
)

RULES = (
    Rule(
        number=37,
        id="sec-image-digest-pinned",
        title="Every image is pinned by its digest.",
        holds="its images are pinned",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "NIST AI RMF MEASURE 2.7"),
        types=WORKLOADS,
        resource=_pinned,
        cases=(
            violates("a tag", put("recorder", _RECORDER, "ghcr.io/mlflow/mlflow:v3.17.2")),
            violates("a short digest", put("recorder", _RECORDER, "ghcr.io/mlflow/mlflow@sha256:5e5e")),
            violates("a digest within a name", put("recorder", _RECORDER, f"quay.io/a@{DIGEST}/b")),
            violates("a tag in a predictor", put("mortgage", _IMAGE, "docker.io/seldonio/mlserver:1.3.5")),
            violates("a tag in a job", put("mortgage-training", _RECORDER, "quay.io/train:1")),
            passes("digests"),
            spares("no workloads", nothing),
            cannot_tell("an image known later", put("recorder", _RECORDER, UNKNOWN)),
        ),
    ),
    Rule(
        number=38,
        id="sec-image-registry-allowed",
        title="Every image comes from a registry that is allowed.",
        holds="its images come from allowed registries",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "ISO/IEC 42001 A.10.3"),
        types=WORKLOADS,
        resource=_known_registry,
        cases=(
            violates("anybody's", put("recorder", _RECORDER, f"docker.io/somebody/recorder@{DIGEST}")),
            violates("no registry at all", put("recorder", _RECORDER, f"recorder@{DIGEST}")),
            violates("a name like AWS's", put("recorder", _RECORDER, f"1.dkr.ecr.evil.example/recorder@{DIGEST}")),
            passes("known ones"),
            *(passes(registry, put("recorder", _RECORDER, f"{registry}/a@{DIGEST}")) for registry in _ALLOWED),
            passes(
                "one's own",
                put("recorder", _RECORDER, f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/recorder@{DIGEST}"),
            ),
            spares("no workloads", nothing),
            cannot_tell("an image known later", put("recorder", _RECORDER, UNKNOWN)),
        ),
    ),
    Rule(
        number=39,
        id="sec-image-signed-admission",
        title="A cluster in production refuses images that nobody signed.",
        holds="images without a signature are refused",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "NIST AI RMF MEASURE 2.7"),
        environment=_signed,
        cases=(
            violates("nothing does", without(_KYVERNO)),
            violates("it only audits", put(_KYVERNO, "spec.validationFailureAction", "Audit")),
            violates("its default is to audit", cut(_KYVERNO, "spec.validationFailureAction")),
            violates("it verifies nothing", cut(_KYVERNO, "spec.rules.0.verifyImages")),
            violates(
                "sigstore only warns",
                without(_KYVERNO),
                having(ADMISSION[2], "sigstore", {"spec": {"mode": "warn", "images": [{"glob": "**"}]}}),
            ),
            violates(
                "Kyverno's newer kind only audits",
                without(_KYVERNO),
                having(ADMISSION[1], "newer", {"spec": {"validationActions": ["Audit"]}}),
            ),
            passes("Kyverno"),
            passes("sigstore", without(_KYVERNO), having(ADMISSION[2], "sigstore", {"spec": {}})),
            passes(
                "Kyverno's newer kind",
                without(_KYVERNO),
                having(ADMISSION[1], "newer", {"spec": {"validationActions": ["Deny"]}}),
            ),
            spares("no production", facts(name="dev"), without(_KYVERNO), companions=("*",)),
            spares("no workloads", nothing),
            cannot_tell("known later", put(_KYVERNO, "spec.validationFailureAction", UNKNOWN)),
        ),
    ),
    Rule(
        number=47,
        id="sec-model-format-safe",
        title="Models in production are kept in a format that runs no code.",
        holds="its models run no code when they are loaded",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "NIST AI RMF MEASURE 2.7"),
        level=Level.ADVISORY,
        severity=Severity.MEDIUM,
        system=_safe,
        cases=(
            violates("a pickle", put(LIMITED, "model.source", "s3://models/tickets.pkl")),
            *(
                violates(f"a file {ending}", put(LIMITED, "model.source", f"s3://models/tickets{ending}"))
                for ending in (".pickle", ".pt", ".dill")
            ),
            violates("a joblib file that is served", put("mortgage", f"{_GRAPH}.modelUri", "s3://m/Model.JOBLIB")),
            violates("a server that unpickles", put("mortgage", f"{_GRAPH}.implementation", "SKLEARN_SERVER")),
            passes("MLflow"),
            spares("no production", facts(name="dev"), companions=("*",)),
            spares("no system", without(HIGH_RISK, LIMITED), companions=("*",)),
            cannot_tell("known later", put("mortgage", f"{_GRAPH}.modelUri", UNKNOWN)),
        ),
    ),
)
