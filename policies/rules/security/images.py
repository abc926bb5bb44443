"""Images: pinned, from known registries, signed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import partial

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.kinds import WORKLOADS
from mlstrata.policies.core.rule import Context, Domain, Rule, Verdicts, fails, not_applicable
from mlstrata.policies.core.values import dig, listed
from mlstrata.policies.views.pods import Pod, pods, workloads

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
                "pin it by digest (NAME@sha256:…): `mlstrata images ENV --resolve` writes the lock of digests, "
                "images.runtime and images.serving name builds of yours",
            )


def _whole(image: str) -> str:
    """Return an image with the registry that a name without one is fetched from."""
    host, slash, _ = image.partition("/")
    return image if slash and (set(".:") & set(host) or host == "localhost") else f"docker.io/{image}"


def _known_registry(workload: Resource, context: Context) -> Verdicts:
    if not (images := _images(workload)):
        yield not_applicable("it names no image")
    known = tuple(f"{one}/" for one in (context.environment.mirror, *context.environment.registries) if one)
    for image in images:
        if not _whole(image).startswith(known) and not image.startswith(REGISTRIES) and not OWN_REGISTRY.match(image):
            yield fails(
                f"the image {image} of '{workload.name}' comes from a registry that is not allowed",
                "name yours (mirror.registry, or images.runtime; any on AWS; of manifests: --registry); allowed: "
                f"{', '.join(REGISTRIES)}",
            )


def _signed(context: Context) -> Verdicts:
    running = workloads(context.graph)
    if not context.environment.in_production or not running:
        yield not_applicable("required of clusters in production")
        return
    patterns = [pattern for policy in context.graph.of(*ADMISSION) for pattern in _verified(policy)]
    if not patterns:
        if not context.environment.signature_policy:
            yield fails(
                "nothing in the cluster rejects unsigned images",
                "name the cluster's own policy that verifies signatures and enforces it (Kyverno, sigstore) in "
                "images.signature_policy, or deploy one; or, while nobody depends on what it answers, say production: "
                "false",
            )
        return
    images = dict.fromkeys(image for workload in running for image in _images(workload))
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


_rule = partial(Rule, domain=Domain.SECURITY)

RULES = (
    _rule(
        id="sec-image-digest-pinned",
        title="Every image is pinned by its digest.",
        holds="its images are pinned",
        references=("AI Act Art. 15(5)", "NIST AI RMF MEASURE 2.7"),
        types=(*WORKLOADS, *AWS_IMAGES),
        resource=_pinned,
    ),
    _rule(
        id="sec-image-registry-allowed",
        title="Every image comes from a registry that is allowed.",
        holds="its images come from allowed registries",
        references=("AI Act Art. 15(5)", "ISO/IEC 42001 A.10.3"),
        types=(*WORKLOADS, *AWS_IMAGES),
        resource=_known_registry,
    ),
    _rule(
        id="sec-image-signed-admission",
        title="A cluster in production rejects unsigned images.",
        holds="unsigned images are rejected",
        references=("AI Act Art. 15(5)", "NIST AI RMF MEASURE 2.7"),
        environment=_signed,
    ),
)
