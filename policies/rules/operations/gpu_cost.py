"""GPUs and costs: bounded, shared by quota, given back when idle, booked to somebody."""

from __future__ import annotations

import re
from datetime import timedelta

from mlstrata.environments import Stage
from mlstrata.environments.spec.quantities import parse_duration
from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import (
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
from mlstrata.policies.core.values import UNKNOWN, dig, listed
from mlstrata.policies.fixtures.world import cut, facts, having, nothing, put, without
from mlstrata.policies.remedies.cluster import IDLE_NODES, LIMITS
from mlstrata.policies.remedies.stores import booked
from mlstrata.policies.views.kubernetes import WORKLOADS, accelerators, containers, gpus, namespace
from mlstrata.policies.views.retention import BUCKETS
from mlstrata.policies.views.stores import DATABASES

QUOTA = "kubernetes:core/v1:ResourceQuota"
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
GPU_INSTANCES = (
    "p2.",
    "p3.",
    "p3dn.",
    "p4d.",
    "p4de.",
    "p5.",
    "p5e.",
    "p5en.",
    "p6-",
    "g4dn.",
    "g5.",
    "g5g.",
    "g6.",
    "g6e.",
)
LONGEST_IDLE = timedelta(hours=1)
NAMESPACE = "kubernetes:core/v1:Namespace"
BOOKED = (*BUCKETS, *DATABASES, NODE_GROUP, NAMESPACE)
LABELS = ("mlstrata.io/owner", "mlstrata.io/cost-centre")


def _limited(workload: Resource, _: Context) -> Verdicts:
    asking = [container for container in containers(workload) if gpus(container)]
    if not asking:
        yield not_applicable("it takes no GPU")
    for container in asking:
        limits = dig(container, "resources.limits", {})
        missing = [kind for kind in (*accelerators(container), "cpu", "memory") if not limits.get(kind)]
        if missing:
            yield fails(
                f"container {dig(container, 'name', '?')} of '{workload.name}' takes a GPU without a limit on "
                f"{', '.join(missing)}",
                "set resources.limits",
            )


def _quota(context: Context) -> Verdicts:
    spaces: dict[str, set[str]] = {}
    for workload in context.graph.of(*WORKLOADS):
        for container in containers(workload):
            if kinds := accelerators(container):
                spaces.setdefault(namespace(workload), set()).update(kinds)
    if not spaces:
        yield not_applicable("nothing takes a GPU")
    bounded: dict[str, set[str]] = {}
    for quota in context.graph.of(QUOTA):
        bounded.setdefault(namespace(quota), set()).update(quota.get("spec.hard", {}))
    for space, asked in sorted(spaces.items()):
        for kind in sorted(asked):
            if not {f"requests.{kind}", f"limits.{kind}"} & bounded.get(space, set()):
                yield fails(
                    f"namespace '{space}' may take every {kind} there is",
                    f"add a ResourceQuota with requests.{kind}",
                    "/teams",
                    subject=space,
                )


def _idle(pool: Resource, context: Context) -> Verdicts:
    if not _has_gpus(pool):
        yield not_applicable("its nodes have no GPUs")
        return
    fewest = context.environment.gpu_pools.get(pool.name, 0)
    if pool.type == NODE_GROUP:
        fewest = max(fewest, int(pool.get("scalingConfig.minSize", 1)))
    elif not _given_back(pool):
        yield fails(
            f"idle nodes of '{pool.name}' are not given back within the hour", "spec.disruption.consolidateAfter: 10m"
        )
    if fewest:
        yield fails(
            f"'{pool.name}' keeps {fewest} GPU node{'s' * (fewest > 1)} when nothing runs",
            "nodes.min: 0",
            "/gpu_pools",
        )


def _given_back(pool: Resource) -> bool:
    """Return whether idle nodes go within `LONGEST_IDLE`, and nothing forbids it at all times."""
    after = str(pool.get("spec.disruption.consolidateAfter", "Never"))
    budgets = pool.all("spec.disruption.budgets")
    held = any(str(dig(one, "nodes")) in {"0", "0%"} and not dig(one, "schedule") for one in budgets)
    parts = re.findall(r"\d+(?:ms|[smhdw])", after)
    return bool(parts) and sum(map(parse_duration, parts), timedelta()) <= LONGEST_IDLE and not held


def _has_gpus(pool: Resource) -> bool:
    if pool.type == NODE_GROUP:
        by_image = any(word in str(pool.get("amiType", "")) for word in ("GPU", "NVIDIA"))
        return by_image or any(str(kind).startswith(GPU_INSTANCES) for kind in pool.all("instanceTypes"))
    requirements = pool.all("spec.template.spec.requirements")
    keys = [str(dig(one, "key", "")) for one in requirements]
    named = [f"{value}." for one in requirements for value in listed(one, "values")]
    return any("gpu" in key or "accelerator" in key for key in keys) or any(
        name.startswith(GPU_INSTANCES) for name in named
    )


def _booked(resource: Resource, _: Context) -> Verdicts:
    missing = [label for label in LABELS if not resource.label(label)]
    if missing:
        yield fails(
            f"nobody can tell whose costs {resource.kind} '{resource.name}' are: no {', '.join(missing)}",
            "tag it with its owner and cost centre",
            "/teams",
        )


_LIMITS = "spec.template.spec.containers.0.resources.limits"
_RESOURCES = "spec.template.spec.containers.0.resources"
_SLICE, _INSTANCE_TYPE = "nvidia.com/mig-1g.5gb", "node.kubernetes.io/instance-type"
_OTHERS = ("amd.com/gpu", "gpu.intel.com/i915", "habana.ai/gaudi", "aws.amazon.com/neuroncore", "google.com/tpu")
_JOB = "mortgage-training"
_GROUP = {
    "instanceTypes": ["g6.xlarge"],
    "scalingConfig": {"minSize": 0},
    "tags": {"mlstrata.io/owner": "a", "mlstrata.io/cost-centre": "1"},
}

RULES = (
    Rule(
        number=53,
        id="gpu-limits-set",
        title="Whatever takes a GPU has limits on GPU, processor and memory.",
        holds="its limits are set",
        domain=Domain.GPU_COST,
        references=("NIST AI RMF MEASURE 2.12",),
        types=WORKLOADS,
        lowered_below=Stage.FOUNDATION,
        severity=Severity.MEDIUM,
        resource=_limited,
        remedies=(LIMITS,),
        cases=(
            violates("no limit on memory", cut(_JOB, f"{_LIMITS}.memory")),
            violates("no limit on processors", cut(_JOB, f"{_LIMITS}.cpu")),
            violates("requests alone", cut(_JOB, f"{_LIMITS}.nvidia~com/gpu")),
            violates(
                "a slice without a limit",
                put(_JOB, _RESOURCES, {"requests": {_SLICE: 1}, "limits": {"cpu": 1, "memory": 1}}),
                companions=("gpu-quota-per-namespace",),
            ),
            *(
                violates(
                    f"another maker's without limits: {kind}",
                    put(_JOB, _RESOURCES, {"limits": {kind: 1}}),
                    companions=("gpu-quota-per-namespace",),
                )
                for kind in _OTHERS
            ),
            passes("limits"),
            passes(
                "limits of a slice",
                put(_JOB, _RESOURCES, {"limits": {_SLICE: 1, "cpu": 1, "memory": 1}}),
                companions=("gpu-quota-per-namespace",),
            ),
            spares("something else that nodes have", put(_JOB, _RESOURCES, {"limits": {"example.com/disk": 1}})),
            cannot_tell("how many is known later", put(_JOB, f"{_LIMITS}.nvidia~com/gpu", UNKNOWN)),
            spares("no GPUs", without(_JOB)),
            cannot_tell("known later", put(_JOB, _LIMITS, UNKNOWN)),
        ),
    ),
    Rule(
        number=54,
        id="gpu-quota-per-namespace",
        title="Every namespace that takes GPUs has a quota of them.",
        holds="quotas bound what each namespace takes",
        domain=Domain.GPU_COST,
        references=("NIST AI RMF MEASURE 2.12",),
        lowered_below=Stage.FOUNDATION,
        severity=Severity.MEDIUM,
        environment=_quota,
        cases=(
            violates("none", without("gpu-quota")),
            violates("one of something else", put("gpu-quota", "spec.hard", {"pods": "10"})),
            violates("one elsewhere", put("gpu-quota", "metadata.namespace", "other")),
            violates("a quota of another kind", put(_JOB, _RESOURCES, {"limits": {_SLICE: 1, "cpu": 1, "memory": 1}})),
            passes("a quota"),
            passes(
                "a quota of slices",
                put(_JOB, _RESOURCES, {"limits": {_SLICE: 1, "cpu": 1, "memory": 1}}),
                put("gpu-quota", "spec.hard", {f"requests.{_SLICE}": 1}),
            ),
            passes("a quota of limits", put("gpu-quota", "spec.hard", {"limits.nvidia.com/gpu": "2"})),
            spares("no GPUs", without(_JOB)),
            cannot_tell("known later", put("gpu-quota", "spec", UNKNOWN)),
        ),
    ),
    Rule(
        number=55,
        id="gpu-idle-scale-to-zero",
        title="GPU nodes that nothing uses are given back, down to none.",
        holds="idle nodes are given back",
        domain=Domain.GPU_COST,
        references=("NIST AI RMF MEASURE 2.12",),
        types=(NODE_POOL, NODE_GROUP),
        level=Level.ADVISORY,
        severity=Severity.LOW,
        resource=_idle,
        remedies=(IDLE_NODES,),
        cases=(
            violates("never", put("train", "spec.disruption.consolidateAfter", "Never")),
            violates("not said", cut("train", "spec.disruption.consolidateAfter")),
            violates("after a day", put("train", "spec.disruption.consolidateAfter", "24h")),
            violates("after a minute over an hour", put("train", "spec.disruption.consolidateAfter", "1h1m")),
            *(
                violates(
                    f"never more than {nodes} at once", put("train", "spec.disruption.budgets", [{"nodes": nodes}])
                )
                for nodes in ("0", "0%")
            ),
            *(
                violates(
                    f"a pool by its {key}",
                    put("train", "spec.template.spec.requirements", [{"key": key, "values": ["m7i", value]}]),
                    put("train", "spec.disruption.consolidateAfter", "Never"),
                )
                for key, value in (("karpenter.k8s.aws/instance-family", "g5"), (_INSTANCE_TYPE, "p4d.24xlarge"))
            ),
            *(
                violates(
                    f"a group by its image {image}",
                    having(NODE_GROUP, "gpus", {**_GROUP, "instanceTypes": [], "amiType": image, "scalingConfig": {}}),
                )
                for image in ("AL2_x86_64_GPU", "AL2023_x86_64_NVIDIA")
            ),
            violates("a node is kept", facts(gpu_pools={"train": 1})),
            violates("a group of one", having(NODE_GROUP, "gpus", {**_GROUP, "scalingConfig": {"minSize": 1}})),
            violates("a group that does not say", having(NODE_GROUP, "gpus", {**_GROUP, "scalingConfig": {}})),
            violates(
                "a pool by its accelerator",
                put("train", "spec.template.spec.requirements", [{"key": "mlstrata.io/accelerator"}]),
                put("train", "spec.disruption.consolidateAfter", "Never"),
            ),
            *(
                violates(
                    f"a group of {kind}",
                    having(
                        "aws:eks/nodeGroup:NodeGroup",
                        "gpus",
                        {**_GROUP, "instanceTypes": [kind], "scalingConfig": {"minSize": 1}},
                    ),
                )
                for kind in (
                    *("p2.xlarge", "p3.2xlarge", "p3dn.24xlarge", "p4d.24xlarge", "p4de.24xlarge", "p5.48xlarge"),
                    *("p5e.48xlarge", "p5en.48xlarge", "p6-b200.48xlarge", "g4dn.xlarge", "g5.xlarge", "g5g.xlarge"),
                    *("g6.xlarge", "g6e.xlarge"),
                )
            ),
            passes("after ten minutes"),
            passes("after an hour", put("train", "spec.disruption.consolidateAfter", "1h")),
            passes(
                "not at night",
                put("train", "spec.disruption.budgets", [{"nodes": "0", "schedule": "0 0 * * *", "duration": "8h"}]),
            ),
            spares(
                "nodes of a family without",
                put("train", "spec.template.spec.requirements", [{"key": _INSTANCE_TYPE, "values": ["m7i.large"]}]),
            ),
            passes("a group down to none", having(NODE_GROUP, "gpus", _GROUP)),
            spares("no pools", without("train")),
            spares("nodes without", put("train", "spec.template.spec.requirements", [{"key": "kubernetes.io/arch"}])),
            cannot_tell("known later", put("train", "spec.disruption.consolidateAfter", UNKNOWN)),
        ),
    ),
    Rule(
        number=56,
        id="cost-owner-tags",
        title="Whatever costs money says whose it is.",
        holds="owner and cost centre are there",
        domain=Domain.GPU_COST,
        references=("ISO/IEC 42001 A.4.2",),
        types=BOOKED,
        lowered_below=Stage.SCALE,
        severity=Severity.LOW,
        resource=_booked,
        remedies=(booked(BOOKED, *LABELS),),
        cases=(
            violates("no owner", cut("metadata", "tags.mlstrata~io/owner")),
            violates("no cost centre", cut("lending", "metadata.labels.mlstrata~io/cost-centre")),
            passes("all"),
            spares("nothing costs", nothing),
            cannot_tell("known later", put("metadata", "tags.mlstrata~io/owner", UNKNOWN)),
        ),
    ),
)
