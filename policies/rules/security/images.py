"""Images: pinned, from known registries, signed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import (
    Context,
    Domain,
    Rule,
    Verdicts,
    cannot_tell,
    fails,
    not_applicable,
    passes,
    spares,
    violates,
)
from mlstrata.policies.core.values import UNKNOWN, dig, listed
from mlstrata.policies.fixtures.compliant_world import DIGEST
from mlstrata.policies.fixtures.world import cut, facts, having, nothing, put, without
from mlstrata.policies.views.kubernetes import WORKLOADS, Pod, pods

AWS_IMAGES = ("aws:sagemaker/model:Model", "aws:lambda/function:Function")
IMAGE_VARIABLES = re.compile(r"(^|_)IMAGE(_|$)")
"""Names of variables that tell a controller which image to start."""
IMAGE_NAME = re.compile(r"^[a-z0-9.-]+(:\d+)?/[\w./-]+([:@][\w.:-]+)?$")
PINNED = re.compile(r"@sha256:[0-9a-f]{64}$")
REGISTRIES = (
    "docker.io/alpine/",
    "docker.io/envoyproxy/",
    "docker.io/grafana/",
    "docker.io/library/",
    "docker.io/seldonio/",
    "gcr.io/tfx-oss-public/",
    "ghcr.io/chrislusf/",
    "ghcr.io/cloudnative-pg/",
    "ghcr.io/external-secrets/",
    "ghcr.io/jkroepke/",
    "ghcr.io/kedacore/",
    "ghcr.io/kubeflow/",
    "ghcr.io/mlstrata/",
    "nvcr.io/nvidia/",
    "public.ecr.aws/karpenter/",
    "quay.io/argoproj/",
    "quay.io/feastdev/",
    "quay.io/jetstack/",
    "quay.io/kiwigrid/",
    "quay.io/kuberay/",
    "quay.io/openshift/",
    "quay.io/prometheus-operator/",
    "quay.io/prometheus/",
    "registry.k8s.io/",
)
"""Accounts of what the platform is made of; in a registry where anybody may have one, its name alone vouches for none.

A registry of one's own is known by its name on AWS, elsewhere because the environment names it as its mirror.
"""
OWN_REGISTRY = re.compile(r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.(com|eu)(\.cn)?/")
ADMISSION = (
    "kubernetes:kyverno.io/v1:ClusterPolicy",
    "kubernetes:policies.kyverno.io/v1alpha1:ImageValidatingPolicy",
    "kubernetes:policy.sigstore.dev/v1beta1:ClusterImagePolicy",
)


def _images(workload: Resource) -> dict[str, None]:
    """Return the images that a workload runs, mounts, or is told in a variable to start; each once."""
    if workload.type.startswith(AWS_IMAGES):
        places = ["primaryContainer.image", "imageUri"]
        found = [workload.get(place) for place in places] + [dig(one, "image") for one in workload.all("containers")]
        return dict.fromkeys(str(image) for image in found if image)
    return dict.fromkeys(image for pod in pods(workload) for image in _of_pod(pod) if image)


def _of_pod(pod: Pod) -> Iterator[str]:
    for container in pod.containers:
        yield str(dig(container, "image", ""))
        for variable in listed(container, "env"):
            value = dig(variable, "value", "")
            if IMAGE_VARIABLES.search(str(dig(variable, "name", ""))) and IMAGE_NAME.match(str(value)):
                yield str(value)
    for volume in listed(pod.spec, "volumes"):
        yield str(dig(volume, "image.reference", ""))


def _pinned(workload: Resource, _: Context) -> Verdicts:
    if not (images := _images(workload)):
        yield not_applicable("it names no image")
    for image in images:
        if not PINNED.search(image):
            yield fails(
                f"the image {image} of '{workload.name}' is not pinned, so it can change under the same name",
                "pin it by digest: NAME@sha256:…",
            )


def _known_registry(workload: Resource, context: Context) -> Verdicts:
    if not (images := _images(workload)):
        yield not_applicable("it names no image")
    mirror = context.environment.mirror
    for image in images:
        mirrored = mirror and image.startswith(f"{mirror}/")
        if not mirrored and not image.startswith(REGISTRIES) and not OWN_REGISTRY.match(image):
            yield fails(
                f"the image {image} of '{workload.name}' comes from a registry that is not allowed",
                f"mirror it to a registry of yours (mirror.registry, or any on AWS); allowed: {', '.join(REGISTRIES)}",
            )


def _signed(context: Context) -> Verdicts:
    workloads = context.graph.of(*WORKLOADS)
    if not context.environment.production or not workloads:
        yield not_applicable("it is asked of clusters in production")
        return
    patterns = [pattern for policy in context.graph.of(*ADMISSION) for pattern in _verified(policy)]
    if not patterns:
        yield fails(
            "nothing in the cluster refuses images that nobody signed",
            "deploy a policy that verifies signatures and enforces it (Kyverno, sigstore)",
        )
        return
    images = dict.fromkeys(image for workload in workloads for image in _images(workload))
    for image in images:
        if not any(fnmatchcase(image, pattern) for pattern in patterns):
            yield fails(f"no policy verifies the signature of {image}", "let one cover it, or every image: *")


def _verified(policy: Resource) -> list[str]:
    """Return the patterns of the images whose signatures a policy verifies, and refuses without."""
    if policy.kind == "ImageValidatingPolicy":
        references = [str(dig(one, "glob", "*")) for one in policy.all("spec.matchImageReferences")]
        return references if "Deny" in policy.all("spec.validationActions") else []
    if policy.kind == "ClusterImagePolicy":
        passing = any(dig(one, "static.action") == "pass" for one in policy.all("spec.authorities"))
        enforced = policy.get("spec.mode", "enforce") == "enforce" and not passing
        return [str(dig(one, "glob", "")) for one in policy.all("spec.images")] if enforced else []
    action = policy.get("spec.validationFailureAction", "Audit")
    if policy.get("spec.failurePolicy", "Fail") != "Fail" or policy.all("spec.validationFailureActionOverrides"):
        return []
    return [
        str(reference)
        for rule in policy.all("spec.rules")
        for one in listed(rule, "verifyImages")
        if dig(one, "failureAction", action) == "Enforce" and dig(one, "required", True)
        for reference in listed(one, "imageReferences")
    ]


_IMAGE = "spec.predictors.0.componentSpecs.0.spec.containers.0.image"
_RECORDER = "spec.template.spec.containers.0.image"

_SPEC = "spec.template.spec"
_C0 = f"{_SPEC}.containers.0"
_TAGGED = [{"name": "look", "image": "quay.io/argoproj/look:1"}]
_ON_AWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("aws:sagemaker/model:Model", {"primaryContainer": {"image": "somebody/model:1"}}),
    (AWS_IMAGES[0], {"containers": [{"image": "somebody/model:1"}]}),
    ("aws:lambda/function:Function", {"imageUri": "somebody/function:1"}),
)
_NEWER = {"matchImageReferences": [{"glob": "*"}]}
_VERIFY = "spec.rules.0.verifyImages.0"


def _variable(name: str, value: str = "quay.io/argoproj/argoexec:1") -> list[dict[str, str]]:
    return [{"name": name, "value": value}]


def _mounted(reference: str) -> list[dict[str, Any]]:
    return [{"name": "v", "image": {"reference": reference}}]


_KYVERNO = "signed-images"
_ALLOWED = (
    *("docker.io/alpine", "docker.io/envoyproxy", "docker.io/grafana", "docker.io/library"),
    *("docker.io/seldonio", "gcr.io/tfx-oss-public", "ghcr.io/chrislusf", "ghcr.io/cloudnative-pg"),
    *("ghcr.io/external-secrets", "ghcr.io/jkroepke", "ghcr.io/kedacore", "ghcr.io/kubeflow"),
    *("ghcr.io/mlstrata", "nvcr.io/nvidia", "public.ecr.aws/karpenter", "registry.k8s.io"),
    *(f"quay.io/{one}" for one in ("argoproj", "feastdev", "jetstack", "kiwigrid", "kuberay", "openshift")),
    *("quay.io/prometheus-operator", "quay.io/prometheus"),
)

RULES = (
    Rule(
        number=37,
        id="sec-image-digest-pinned",
        title="Every image is pinned by its digest.",
        holds="its images are pinned",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "NIST AI RMF MEASURE 2.7"),
        types=(*WORKLOADS, *AWS_IMAGES),
        resource=_pinned,
        cases=(
            violates("a tag", put("recorder", _RECORDER, "ghcr.io/mlstrata/runtime:v3.17.2")),
            violates("a short digest", put("recorder", _RECORDER, "ghcr.io/mlstrata/runtime@sha256:5e5e")),
            violates("a digest within a name", put("recorder", _RECORDER, f"quay.io/argoproj/a@{DIGEST}/b")),
            violates("a tag in a predictor", put("mortgage", _IMAGE, "docker.io/seldonio/mlserver:1.3.5")),
            violates("a tag in a job", put("mortgage-training", _RECORDER, "quay.io/argoproj/train:1")),
            violates("a tag that a variable names", put("recorder", f"{_C0}.env", _variable("EXECUTOR_IMAGE"))),
            violates("a tag that is mounted", put("recorder", f"{_SPEC}.volumes", _mounted("quay.io/argoproj/a:1"))),
            violates(
                "a tag put in to look inside",
                put("recorder", f"{_SPEC}.ephemeralContainers", _TAGGED),
                companions=("sec-pod-restricted",),
            ),
            *(
                violates(
                    f"a tag of {kind} on AWS", having(kind, "own", inputs), companions=("sec-image-registry-allowed",)
                )
                for kind, inputs in _ON_AWS
            ),
            passes("digests"),
            passes("a variable about something else", put("recorder", f"{_C0}.env", _variable("ARCHIVE"))),
            passes("a variable that is no image", put("recorder", f"{_C0}.env", _variable("IMAGE_SIZE", "224"))),
            spares("a function without an image", nothing, having(AWS_IMAGES[1], "own", {"handler": "a.b"})),
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
        types=(*WORKLOADS, *AWS_IMAGES),
        resource=_known_registry,
        cases=(
            violates("anybody's", put("recorder", _RECORDER, f"docker.io/somebody/recorder@{DIGEST}")),
            violates("no registry at all", put("recorder", _RECORDER, f"recorder@{DIGEST}")),
            violates("a name like AWS's", put("recorder", _RECORDER, f"1.dkr.ecr.evil.example/recorder@{DIGEST}")),
            *(
                violates(f"anybody's account at {one}", put("recorder", _RECORDER, f"{one}/somebody/recorder@{DIGEST}"))
                for one in ("quay.io", "public.ecr.aws", "ghcr.io")
            ),
            violates(
                "one that a variable names", put("recorder", f"{_C0}.env", _variable("A_IMAGE", f"evil.io/a@{DIGEST}"))
            ),
            passes("known ones"),
            *(passes(registry, put("recorder", _RECORDER, f"{registry}/a@{DIGEST}")) for registry in _ALLOWED),
            passes(
                "one's own",
                put("recorder", _RECORDER, f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/recorder@{DIGEST}"),
            ),
            violates(
                "a name that starts like the mirror's",
                facts(mirror="mirror.example.com/ml"),
                put("recorder", _RECORDER, f"mirror.example.com/mlx/recorder@{DIGEST}"),
            ),
            passes(
                "the environment's mirror",
                facts(mirror="mirror.example.com/ml"),
                put("recorder", _RECORDER, f"mirror.example.com/ml/docker.io/somebody/recorder@{DIGEST}"),
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
                having(ADMISSION[1], "newer", {"spec": {"validationActions": ["Audit"], **_NEWER}}),
            ),
            violates("some images only", put(_KYVERNO, f"{_VERIFY}.imageReferences", ["docker.io/*"])),
            violates("whoever asks is let in when it is down", put(_KYVERNO, "spec.failurePolicy", "Ignore")),
            violates(
                "it is lifted somewhere", put(_KYVERNO, "spec.validationFailureActionOverrides", [{"action": "Audit"}])
            ),
            violates("a rule of it audits", put(_KYVERNO, f"{_VERIFY}.failureAction", "Audit")),
            violates("a signature is not required", put(_KYVERNO, f"{_VERIFY}.required", False)),
            violates(
                "sigstore lets everything pass",
                without(_KYVERNO),
                having(
                    ADMISSION[2],
                    "sigstore",
                    {"spec": {"images": [{"glob": "**"}], "authorities": [{"static": {"action": "pass"}}]}},
                ),
            ),
            passes("Kyverno"),
            passes(
                "a rule of it enforces",
                cut(_KYVERNO, "spec.validationFailureAction"),
                put(_KYVERNO, f"{_VERIFY}.failureAction", "Enforce"),
            ),
            passes(
                "two that cover all between them",
                put(_KYVERNO, f"{_VERIFY}.imageReferences", ["docker.io/*"]),
                having(ADMISSION[2], "sigstore", {"spec": {"images": [{"glob": "ghcr.io/**"}]}}),
            ),
            passes(
                "sigstore", without(_KYVERNO), having(ADMISSION[2], "sigstore", {"spec": {"images": [{"glob": "**"}]}})
            ),
            passes(
                "Kyverno's newer kind",
                without(_KYVERNO),
                having(ADMISSION[1], "newer", {"spec": {"validationActions": ["Deny"], **_NEWER}}),
            ),
            spares("no production", facts(name="dev"), without(_KYVERNO), companions=("*",)),
            spares("no workloads", nothing),
            cannot_tell("known later", put(_KYVERNO, "spec.validationFailureAction", UNKNOWN)),
        ),
    ),
)
