"""The AI Act against what a platform can do at its stage, and against its computing power."""

from __future__ import annotations

from typing import Any

from mlstrata.environments import Capability, Stage
from mlstrata.environments.assessment.stage import FLOOR
from mlstrata.environments.stages import stage_of
from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import Resource, System
from mlstrata.policies.core.rule import (
    HIGH,
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
    unknown,
    violates,
)
from mlstrata.policies.core.values import UNKNOWN, dig
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, LIMITED, container, labels
from mlstrata.policies.fixtures.world import Edit, cut, facts, having, put, without
from mlstrata.policies.views.kubernetes import JOBS, Pod, gpus, pods

NEEDED = {tier.value: needed for tier, needed in FLOOR.items()}
GPAI_FLOP = 1e23
"""Training compute above which the Commission's guidelines presume a general-purpose model."""
TRAINING = (
    *JOBS,
    "kubernetes:batch.volcano.sh/",
    "kubernetes:jobset.x-k8s.io/",
    "kubernetes:kubeflow.org/",
)
"""Kinds that run to an end: what serves for good is no training."""
ACCELERATOR_LABEL = "mlstrata.io/accelerator"
LEDGER_LABEL = "mlstrata.io/compute-ledger"
PEAK_FLOPS = {
    "nvidia-t4": 6.5e13,
    "nvidia-v100": 1.25e14,
    "nvidia-a10g": 7.0e13,
    "nvidia-l4": 1.21e14,
    "nvidia-l40s": 3.62e14,
    "nvidia-a100": 3.12e14,
    "nvidia-h100": 9.89e14,
    "nvidia-h200": 9.89e14,
}
"""Peak dense half-precision operations a second of one accelerator, from the makers' data sheets."""


def _stage(system: System, context: Context) -> Verdicts:
    environment = context.environment
    if environment.stage is None:
        yield not_applicable("the program declares no stage")
        return
    tier = str(system.get("risk.tier"))
    missing = [needed for needed in NEEDED.get(tier, ()) if needed not in environment.capabilities]
    if missing:
        stages = [stage for needed in missing if (stage := stage_of(needed)) is not None]
        stage = max(stages, key=lambda one: one.rank)
        yield fails(
            f"tier {tier} needs {', '.join(missing)}, which this environment (stage {environment.stage}) lacks",
            f"move to stage {stage}, or switch them on",
            "/stage",
        )


def _compute(system: System, _: Context) -> Verdicts:
    jobs = [job for job in system.of(*TRAINING) if any(gpus(one) for pod in pods(job) for one in pod.containers)]
    if not jobs:
        yield not_applicable("nothing of it trains on GPUs")
    for job in jobs:
        if job.label(LEDGER_LABEL):
            continue
        flop = 0.0
        for pod in pods(job):
            if not (taken := sum(map(gpus, pod.containers))):
                continue
            copies, seconds = _bounds(job, pod)
            kind = dig(pod.spec, "nodeSelector", {}).get(ACCELERATOR_LABEL, "nvidia-h200")
            if not seconds:
                yield unknown(f"the job '{job.name}' has no deadline, so nothing bounds what it computes", "set one")
                return
            flop += taken * copies * seconds * PEAK_FLOPS.get(str(kind), 9.89e14)
        if flop >= GPAI_FLOP:
            yield fails(
                f"the job '{job.name}' may compute {flop:.1e} operations ({GPAI_FLOP:.0e} or more), with no ledger",
                f"keep a ledger of training compute, named in the label {LEDGER_LABEL}, or shorten its deadline",
                "model",
            )


def _bounds(job: Resource, pod: Pod) -> tuple[int, float]:
    """Return how many of a pod run at once, and for how many seconds at most; 0 where nothing bounds them.

    Whatever is around the pod may say so: a job, the template of a CronJob, the replicas of a distributed one.
    """
    copies, deadlines = 1, [job.get("spec.runPolicy.activeDeadlineSeconds")]
    keys = pod.path.split(".")
    for depth in range(1, len(keys) + 1):
        around = ".".join(keys[:depth])
        copies *= int(job.get(f"{around}.replicas", 1)) * int(job.get(f"{around}.parallelism", 1))
        deadlines.append(job.get(f"{around}.activeDeadlineSeconds"))
    return copies, min((float(one) for one in deadlines if one), default=0.0)


_GPU = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}


def _distributed(workers: int, deadline: int | None, *, accelerated: bool = True) -> Edit:
    """Return a job of Kubeflow's: a leader and workers, each with a GPU or none."""
    pod = {"template": {"spec": {"containers": [container("train", resources={"requests": _GPU, "limits": _GPU})]}}}
    plain = {"template": {"spec": {"containers": [container("lead")]}}}
    one = pod if accelerated else plain
    tasks = {"Master": {"replicas": 1, **one}, "Worker": {"replicas": workers, **one}}
    spec = {"runPolicy": {"activeDeadlineSeconds": deadline}, "pytorchReplicaSpecs": tasks}
    return _job("kubernetes:kubeflow.org/v1:PyTorchJob", spec)


def _job(kind: str, spec: dict[str, Any]) -> Edit:
    metadata = {"namespace": "lending", "labels": labels(HIGH_RISK, "training")}
    return having(kind, "distributed", {"metadata": metadata, "spec": spec}, parent=HIGH_RISK)


def _but(capability: str) -> Edit:
    return facts(capabilities=_ENOUGH - {Capability(capability)})


_PODS = {"spec": {"containers": [container("train", resources={"requests": _GPU, "limits": _GPU})]}}
_MONTH = {"activeDeadlineSeconds": 2_600_000}
_DISTRIBUTED = {
    "PyTorchJob": _distributed(4096, 2_600_000),
    "CronJob": _job(
        "kubernetes:batch/v1:CronJob", {"jobTemplate": {"spec": {"parallelism": 4096, "template": _PODS, **_MONTH}}}
    ),
    "JobSet": _job(
        "kubernetes:jobset.x-k8s.io/v1alpha2:JobSet",
        {"replicatedJobs": [{"replicas": 64, "template": {"spec": {"parallelism": 64, "template": _PODS, **_MONTH}}}]},
    ),
    "Volcano's": _job(
        "kubernetes:batch.volcano.sh/v1alpha1:Job",
        {"tasks": [{"replicas": 4096, "template": {"spec": {**_PODS["spec"], **_MONTH}}}]},
    ),
}
_JOB = "mortgage-training"
_ENOUGH = frozenset({*NEEDED["high"], *NEEDED["limited"], Capability.RELEASE})
_BARE = facts(stage=Stage.FOUNDATION, capabilities=frozenset({Capability.RELEASE}))

RULES = (
    Rule(
        number=25,
        id="aia-gpai-compute-ledger",
        title="Training that could reach the threshold of general-purpose models keeps a compute ledger.",
        holds="its jobs stay below the threshold, or keep a ledger",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 51", "AI Act Art. 53", "AI Act Annex XI"),
        duty=Duty.GENERAL_PURPOSE,
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_compute,
        cases=(
            violates(
                "thousands of GPUs for a month",
                put(_JOB, "spec.parallelism", 4096),
                put(_JOB, "spec.activeDeadlineSeconds", 2_600_000),
            ),
            violates(
                "an accelerator that nobody names counts as the largest",
                put(_JOB, "spec.template.spec.nodeSelector", {}),
                put(_JOB, "spec.parallelism", 100),
                put(_JOB, "spec.activeDeadlineSeconds", 1_100_000),
            ),
            *(
                passes(
                    f"{kind} within its own peak",
                    put(_JOB, "spec.template.spec.nodeSelector", {"mlstrata.io/accelerator": kind}),
                    put(_JOB, "spec.parallelism", int(0.9e17 / peak)),
                    put(_JOB, "spec.activeDeadlineSeconds", 1_000_000),
                )
                for kind, peak in (
                    ("nvidia-t4", 6.5e13),
                    ("nvidia-v100", 1.25e14),
                    ("nvidia-a10g", 7.0e13),
                    ("nvidia-l4", 1.21e14),
                    ("nvidia-l40s", 3.62e14),
                    ("nvidia-a100", 3.12e14),
                    ("nvidia-h100", 9.89e14),
                    ("nvidia-h200", 9.89e14),
                )
            ),
            *(violates(f"as much by a {kind}", without(_JOB), edit) for kind, edit in _DISTRIBUTED.items()),
            spares("workers without GPUs", without(_JOB), _distributed(4096, 2_600_000, accelerated=False)),
            passes("few workers", without(_JOB), _distributed(2, 2_600_000)),
            passes("many workers, for a minute", without(_JOB), _distributed(4096, 60)),
            cannot_tell("workers without a deadline", without(_JOB), _distributed(4096, None)),
            passes("one copy unless it says more", put(_JOB, "spec.activeDeadlineSeconds", 500_000_000)),
            passes(
                "a deadline of its pod",
                cut(_JOB, "spec.activeDeadlineSeconds"),
                put(_JOB, "spec.template.spec.activeDeadlineSeconds", 7200),
            ),
            passes("one GPU for two hours"),
            passes(
                "the same, of a small kind",
                put(_JOB, "spec.parallelism", 100),
                put(_JOB, "spec.activeDeadlineSeconds", 1_100_000),
            ),
            passes(
                "a ledger",
                put(_JOB, "spec.parallelism", 4096),
                put(_JOB, "spec.activeDeadlineSeconds", 2_600_000),
                put(_JOB, "metadata.labels.mlstrata~io/compute-ledger", "docs-ledger"),
            ),
            spares("no training", without(_JOB)),
            spares(
                "a job without GPUs",
                without(_JOB),
                having(
                    "kubernetes:batch/v1:Job",
                    "plain",
                    {"metadata": {"namespace": "lending", "labels": labels(HIGH_RISK)}},
                    parent=HIGH_RISK,
                ),
            ),
            cannot_tell("no deadline", cut(_JOB, "spec.activeDeadlineSeconds")),
            cannot_tell("a deadline known later", put(_JOB, "spec.activeDeadlineSeconds", UNKNOWN)),
        ),
    ),
    Rule(
        number=63,
        id="aia-stage-supports-tier",
        title="The environment has what a system's tier needs: recording, monitoring and fairness for high risk.",
        holds="the environment has what the tier needs",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 9", "AI Act Art. 12", "AI Act Art. 72", "NIST AI RMF GOVERN 1.3"),
        tiers=(*HIGH, "limited"),
        severity=Severity.HIGH,
        system=_stage,
        cases=(
            violates("high risk at foundation", _BARE),
            *(violates(f"all but {one}", _but(one)) for one in ("recording", "monitoring", "fairness")),
            *(
                violates(f"limited risk, all but {one}", without(HIGH_RISK), _but(one), companions=("*",))
                for one in ("tracking", "pipelines", "data_quality", "regulatory_tests", "catalog")
            ),
            violates("limited risk with nothing", _BARE, without(HIGH_RISK), companions=("*",)),
            passes("scale"),
            passes(
                "switched on beyond its stage",
                facts(stage=Stage.FOUNDATION, capabilities=_ENOUGH),
            ),
            spares("no stage", facts(stage=None)),
            spares("minimal risk", without(HIGH_RISK), put(LIMITED, "risk.tier", "minimal"), companions=("*",)),
            cannot_tell("a tier known later", put(HIGH_RISK, "risk.tier", UNKNOWN), companions=("*",)),
        ),
    ),
)
