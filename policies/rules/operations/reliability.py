"""Reliability: copies, budgets for disruption, probes, backups, and stores that nobody deletes by mistake."""

from __future__ import annotations

from functools import partial

from mlstrata.environments import Capability
from mlstrata.policies.core.graph import Resource, System
from mlstrata.policies.core.kinds import LONG_RUNNING, SELDON
from mlstrata.policies.core.rule import Context, Domain, Level, Rule, Severity, Verdicts, fails, not_applicable
from mlstrata.policies.core.values import dig
from mlstrata.policies.remedies.cluster import COPIES
from mlstrata.policies.remedies.stores import BACKED_UP
from mlstrata.policies.views.kubernetes import kept, namespace
from mlstrata.policies.views.pods import pods
from mlstrata.policies.views.serving import serving
from mlstrata.policies.views.stores import DATABASES, STORES

STAYING = {
    "argocd.argoproj.io/sync-options": "Delete=false",
    "helm.sh/resource-policy": "keep",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}
"""Annotations by which what applies a manifest leaves it where it is."""
RETAINED = "mlstrata.io/retained"
"""Says that it is retained when its stack goes: no engine tells a policy pack of the option that makes it so."""
FEWEST, WEEK = 2, 7
SCALERS = ("kubernetes:autoscaling/", "kubernetes:keda.sh/v1alpha1:ScaledObject")
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"


def _copies(system: System, context: Context) -> Verdicts:
    answering = [one for one in serving(system) if one.type.startswith((SELDON, *LONG_RUNNING))]
    declared = int(system.get("serving.replicas.min", 0))
    fewest = max(declared, FEWEST if context.environment.in_production else 0)
    if not fewest or not answering:
        yield not_applicable("required of workloads that serve in a cluster in production, or declare replicas")
        return
    for resource in answering:
        counts = [int(resource.get("spec.replicas", 1))]
        if resource.type.startswith(SELDON):
            counts = [
                int(dig(predictor, "replicas", counts[0]) if (least := kept(predictor)) is None else least)
                for predictor in resource.all("spec.predictors")
                if not dig(predictor, "shadow")
            ]
        if (least := _least(resource, context)) is not None:
            counts = [least]
        if any(count < fewest for count in counts):
            asked = f"{declared} copies are declared" if declared >= fewest else "then one failing node stops it"
            yield fails(
                f"{resource.kind} '{resource.name}' may run in {min(counts)}, and {asked}",
                f"serving.replicas.min: {fewest} or more, and as many deployed",
                "serving.replicas.min",
            )


def _least(resource: Resource, context: Context) -> int | None:
    """Return how many copies an autoscaler beside a workload leaves of it; it decides, whatever the workload says."""
    names = {resource.name, resource.get("metadata.name")}
    for scaler in context.graph.of(*SCALERS):
        if scaler.get("spec.scaleTargetRef.name") in names and namespace(scaler) == namespace(resource):
            field = "minReplicas" if scaler.type.startswith(SCALERS[0]) else "minReplicaCount"
            return int(scaler.get(f"spec.{field}", 1 if field == "minReplicas" else 0))
    return None


def _budget(system: System, context: Context) -> Verdicts:
    answering = [one for one in serving(system) if one.type.startswith((SELDON, *LONG_RUNNING))]
    if not context.environment.in_production or not answering:
        yield not_applicable("required of workloads that serve in a cluster in production")
    elif not any(_keeps_some(budget) for budget in system.of(BUDGET)):
        yield fails("draining a node may stop all its replicas at once", "add a PodDisruptionBudget", "serving")


def _keeps_some(budget: Resource) -> bool:
    """Return whether a budget keeps a copy running: none at least, or all at most, keeps none."""
    least, most = budget.get("spec.minAvailable"), budget.get("spec.maxUnavailable")
    return str(least) not in {"None", "0", "0%"} if most is None else str(most) != "100%"


def _probes(workload: Resource, _: Context) -> Verdicts:
    for pod in pods(workload):
        for container in pod.spec.get("containers", []):
            for probe in ("readinessProbe", "livenessProbe"):
                if not dig(container, probe):
                    yield fails(
                        f"container {dig(container, 'name', '?')} of '{workload.name}' has no {probe}",
                        f"add a {probe}, so that a stuck replica gets no traffic and is restarted",
                    )


def _backed_up(database: Resource, context: Context) -> Verdicts:
    days = int(database.get("backupRetentionPeriod", 0))
    if days < WEEK:
        switched = Capability.BACKUP in context.environment.capabilities
        declared = "; the environment declares the capability backup" if switched else ""
        yield fails(
            f"backups of '{database.name}' are kept {days} days (at least {WEEK}){declared}",
            f"backupRetentionPeriod: {WEEK} or more",
        )


def _protected(store: Resource, _: Context) -> Verdicts:
    if store.record.file:
        if not any(words in store.label(name) for name, words in STAYING.items()):
            yield not_applicable("a manifest that says nothing of it may be kept or not by whatever applies it")
    elif not store.protect and store.label(RETAINED) != "true":
        yield fails(
            f"{store.kind} '{store.name}' goes with the stack, and its data with it",
            f"protect it, or retain it on delete and label it {RETAINED}: true",
        )


_rule = partial(Rule, domain=Domain.RELIABILITY)

RULES = (
    _rule(
        id="rel-prod-replicas",
        title="Serving workloads have the declared replicas, and at least two in production.",
        holds="it has the replicas that are required",
        references=("AI Act Art. 15(4)",),
        system=_copies,
        remedies=(COPIES,),
    ),
    _rule(
        id="rel-pdb-present",
        title="Serving workloads in production have a PodDisruptionBudget.",
        holds="a PodDisruptionBudget keeps replicas running",
        references=("AI Act Art. 15(4)",),
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_budget,
    ),
    _rule(
        id="rel-probes",
        title="Every long-running container has readiness and liveness probes.",
        holds="its containers have probes",
        references=("AI Act Art. 15(4)",),
        types=LONG_RUNNING,
        severity=Severity.MEDIUM,
        resource=_probes,
    ),
    _rule(
        id="rel-backup-metadata-db",
        title="Databases are backed up, and backups are kept for a week.",
        holds="backups are kept a week or more",
        references=("AI Act Art. 15(4)", "AI Act Art. 18"),
        types=DATABASES,
        resource=_backed_up,
        remedies=(BACKED_UP,),
    ),
    _rule(
        id="rel-protect-stateful",
        title="Stores are not deleted with their stack.",
        holds="it is protected or retained",
        references=("AI Act Art. 18",),
        types=STORES,
        resource=_protected,
    ),
)
