"""GPUs and costs: bounded, shared by quota, given back when idle, booked to somebody."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial

from mlstrata.environments import Stage
from mlstrata.environments.spec.quantities import parse_duration
from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.kinds import WORKLOADS
from mlstrata.policies.core.rule import Context, Domain, Level, Rule, Severity, Verdicts, fails, not_applicable
from mlstrata.policies.core.values import dig, listed
from mlstrata.policies.remedies.cluster import IDLE_NODES, LIMITS
from mlstrata.policies.remedies.stores import booked
from mlstrata.policies.views.kubernetes import accelerators, gpus, namespace
from mlstrata.policies.views.pods import containers, workloads
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
    for workload in workloads(context.graph):
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
            f"idle nodes of '{pool.name}' are not removed within an hour", "spec.disruption.consolidateAfter: 10m"
        )
    if fewest:
        yield fails(
            f"'{pool.name}' keeps {fewest} GPU node{'s' * (fewest > 1)} when nothing runs",
            "nodes.min: 0",
            "/gpu_pools",
        )


def _bounded(pool: Resource, _: Context) -> Verdicts:
    if not _has_gpus(pool):
        yield not_applicable("its nodes have no GPUs")
    elif pool.type == NODE_GROUP:
        if not pool.get("scalingConfig.maxSize"):
            yield fails(f"nothing bounds the nodes of '{pool.name}', nor what they cost", "scalingConfig.maxSize: 4")
    elif not pool.get("spec.limits", {}):
        yield fails(
            f"nothing bounds the nodes of '{pool.name}', nor what they cost", "spec.limits: {nvidia.com/gpu: 4}"
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
            f"the costs of {resource.kind} '{resource.name}' cannot be allocated: no {', '.join(missing)}",
            "tag it with its owner and cost centre",
            "/teams",
        )


_rule = partial(Rule, domain=Domain.GPU_COST)

RULES = (
    _rule(
        id="gpu-limits-set",
        title="GPU workloads have limits on GPU, CPU and memory.",
        holds="its limits are set",
        references=("NIST AI RMF MEASURE 2.12",),
        types=WORKLOADS,
        lowered_below=Stage.FOUNDATION,
        severity=Severity.MEDIUM,
        resource=_limited,
        remedies=(LIMITS,),
    ),
    _rule(
        id="gpu-quota-per-namespace",
        title="Every namespace with GPU workloads has a GPU quota.",
        holds="quotas bound the GPUs of each namespace",
        references=("NIST AI RMF MEASURE 2.12",),
        lowered_below=Stage.FOUNDATION,
        severity=Severity.MEDIUM,
        environment=_quota,
    ),
    _rule(
        id="gpu-idle-scale-to-zero",
        title="Idle GPU nodes are scaled down to zero.",
        holds="idle nodes are removed",
        references=("NIST AI RMF MEASURE 2.12",),
        types=(NODE_POOL, NODE_GROUP),
        level=Level.ADVISORY,
        severity=Severity.LOW,
        resource=_idle,
        remedies=(IDLE_NODES,),
    ),
    _rule(
        id="gpu-pool-bounded",
        title="Every pool of GPU nodes has an upper bound.",
        holds="its nodes are bounded",
        references=("NIST AI RMF MEASURE 2.12",),
        types=(NODE_POOL, NODE_GROUP),
        lowered_below=Stage.FOUNDATION,
        severity=Severity.MEDIUM,
        resource=_bounded,
    ),
    _rule(
        id="cost-owner-tags",
        title="Billable resources are labelled with owner and cost centre.",
        holds="owner and cost centre are set",
        references=("ISO/IEC 42001 A.4.2",),
        types=BOOKED,
        lowered_below=Stage.SCALE,
        severity=Severity.LOW,
        resource=_booked,
        remedies=(booked(BOOKED, *LABELS),),
    ),
)
