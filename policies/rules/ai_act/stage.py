"""The AI Act against what a platform can do at its stage, and against its computing power."""

from __future__ import annotations

from functools import partial

from mlstrata.environments.floor import FLOOR
from mlstrata.environments.stages import stage_of
from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import Resource, System
from mlstrata.policies.core.kinds import JOBS
from mlstrata.policies.core.rule import (
    HIGH,
    Context,
    Domain,
    Level,
    Rule,
    Severity,
    Verdicts,
    fails,
    not_applicable,
    unknown,
)
from mlstrata.policies.core.values import dig
from mlstrata.policies.views.kubernetes import gpus
from mlstrata.policies.views.pods import Pod, pods

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


_rule = partial(Rule, domain=Domain.AI_ACT)

RULES = (
    _rule(
        id="aia-gpai-compute-ledger",
        title="Training that could reach the threshold of general-purpose models keeps a compute ledger.",
        holds="its jobs stay below the threshold, or keep a ledger",
        references=("AI Act Art. 51", "AI Act Art. 53", "AI Act Annex XI"),
        duty=Duty.GENERAL_PURPOSE,
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_compute,
    ),
    _rule(
        id="aia-stage-supports-tier",
        title="The environment has what a tier needs: recording, monitoring and fairness for high risk.",
        holds="the environment has the capabilities that the tier needs",
        references=("AI Act Art. 9", "AI Act Art. 12", "AI Act Art. 72", "NIST AI RMF GOVERN 1.3"),
        tiers=(*HIGH, "limited"),
        duty=Duty.HIGH_RISK,
        severity=Severity.HIGH,
        system=_stage,
    ),
)
