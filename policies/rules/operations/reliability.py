"""Reliability: copies, budgets for disruption, probes, backups, and stores that nobody deletes by mistake."""

from __future__ import annotations

from typing import Any

from mlstrata.environments import Capability
from mlstrata.policies.core.graph import Resource, System
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
from mlstrata.policies.core.values import UNKNOWN, dig
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, LIMITED
from mlstrata.policies.fixtures.world import changed, cut, facts, having, nothing, put, without
from mlstrata.policies.remedies.cluster import COPIES
from mlstrata.policies.remedies.stores import BACKED_UP
from mlstrata.policies.views.kubernetes import LONG_RUNNING, SELDON, kept, namespace, pods
from mlstrata.policies.views.serving import serving
from mlstrata.policies.views.stores import DATABASES, STORES

STAYING = {
    "argocd.argoproj.io/sync-options": "Delete=false",
    "helm.sh/resource-policy": "keep",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}
"""Annotations by which what applies a manifest leaves it where it is."""
FEWEST, WEEK = 2, 7
SCALERS = ("kubernetes:autoscaling/", "kubernetes:keda.sh/v1alpha1:ScaledObject")
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"


def _copies(system: System, context: Context) -> Verdicts:
    answering = [one for one in serving(system) if one.type.startswith((SELDON, *LONG_RUNNING))]
    declared = int(system.get("serving.replicas.min", 0))
    fewest = max(declared, FEWEST if context.environment.production else 0)
    if not fewest or not answering:
        yield not_applicable("it is asked of what serves in a cluster in production, or declares its copies")
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
    if not context.environment.production or not answering:
        yield not_applicable("it is asked of what serves in a cluster in production")
    elif not any(_keeps_some(budget) for budget in system.of(BUDGET)):
        yield fails("nothing keeps a drained node from taking all its copies", "add a PodDisruptionBudget", "serving")


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
                        f"add a {probe}, so that a stuck copy gets no traffic and is started anew",
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
    elif not store.protect:
        yield fails(
            f"{store.kind} '{store.name}' goes with the stack, and its data with it",
            "protect it, or retain it on delete",
        )


def _scaling(name: str, **least: int) -> dict[str, Any]:
    spec = {"scaleTargetRef": {"name": name}, **least}
    return {"metadata": {"namespace": "lending"}, "spec": spec}


_HPA, _KEDA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "kubernetes:keda.sh/v1alpha1:ScaledObject"
_LEAVING_ONE: tuple[tuple[str, dict[str, int]], ...] = (
    (_HPA, {"minReplicas": 1}),
    (_HPA, {}),
    (_KEDA, {}),
    (_KEDA, {"minReplicaCount": 1, "minReplicas": 2}),
)
_KEEPING_TWO = ((_HPA, {"minReplicas": 2}), (_KEDA, {"minReplicaCount": 2}))
_PREDICTOR = "spec.predictors.0"
_READY = "spec.template.spec.containers.0.readinessProbe"

RULES = (
    Rule(
        number=48,
        id="rel-prod-replicas",
        title="What serves has the copies that are declared, and in production at least two.",
        holds="it has the copies that are asked for",
        domain=Domain.RELIABILITY,
        references=("AI Act Art. 15(4)",),
        system=_copies,
        remedies=(COPIES,),
        cases=(
            violates("one predictor copy", put("mortgage", f"{_PREDICTOR}.replicas", 1)),
            violates("one by default", cut("mortgage", f"{_PREDICTOR}.replicas")),
            violates("one copy of a deployment", put("tickets", "spec.replicas", 1)),
            violates("none said", cut("tickets", "spec.replicas")),
            passes("two"),
            passes(
                "said for all predictors",
                cut("mortgage", f"{_PREDICTOR}.replicas"),
                put("mortgage", "spec.replicas", 2),
            ),
            passes(
                "one copy of a shadow",
                put("tickets", "spec.replicas", 2),
                having(
                    "kubernetes:machinelearning.seldon.io/v1:SeldonDeployment",
                    "shadowed",
                    {"spec": {"predictors": [{"replicas": 2}, {"replicas": 1, "shadow": True}]}},
                    parent=LIMITED,
                ),
                companions=("*",),
            ),
            passes(
                "an autoscaler that keeps two",
                cut("mortgage", f"{_PREDICTOR}.replicas"),
                put("mortgage", f"{_PREDICTOR}.componentSpecs", [{"hpaSpec": {"minReplicas": 2, "maxReplicas": 4}}]),
                companions=("*",),
            ),
            violates(
                "an autoscaler that keeps one",
                put("mortgage", f"{_PREDICTOR}.componentSpecs", [{"kedaSpec": {"minReplicaCount": 1}}]),
                companions=("*",),
            ),
            *(
                violates(
                    f"{kind.rpartition(':')[2]} leaves one",
                    having(kind, "scaler", _scaling("tickets", **least)),
                    companions=("*",),
                )
                for kind, least in _LEAVING_ONE
            ),
            *(
                passes(
                    f"{kind.rpartition(':')[2]} keeps two",
                    having(kind, "scaler", _scaling("tickets", **least)),
                    companions=("*",),
                )
                for kind, least in _KEEPING_TWO
            ),
            violates(
                "one that names the object, not the resource",
                put("tickets", "metadata.name", "tickets-7f3a"),
                having(_HPA, "scaler", _scaling("tickets-7f3a", minReplicas=1)),
            ),
            passes("one for something else", having(_LEAVING_ONE[0][0], "scaler", _scaling("other"))),
            passes(
                "one elsewhere",
                having(_LEAVING_ONE[0][0], "scaler", {**_scaling("tickets"), "metadata": {"namespace": "other"}}),
            ),
            violates("three are declared", put(LIMITED, "serving.replicas", {"min": 3})),
            violates(
                "two are declared, outside production",
                facts(name="dev"),
                put(LIMITED, "serving.replicas", {"min": 2}),
                put("tickets", "spec.replicas", 1),
                companions=("*",),
            ),
            passes("three are there", put(LIMITED, "serving.replicas", {"min": 3}), put("tickets", "spec.replicas", 3)),
            passes(
                "one is declared, outside production",
                facts(name="dev"),
                put("tickets", "spec.replicas", 1),
                companions=("*",),
            ),
            spares(
                "no production",
                facts(name="dev"),
                cut(HIGH_RISK, "serving.replicas"),
                put("tickets", "spec.replicas", 1),
            ),
            spares("nothing serves", without("mortgage", "tickets"), companions=("*",)),
            cannot_tell("known later", put("tickets", "spec.replicas", UNKNOWN)),
        ),
    ),
    Rule(
        number=49,
        id="rel-pdb-present",
        title="What serves in production has a budget for disruption.",
        holds="a budget keeps copies running",
        domain=Domain.RELIABILITY,
        references=("AI Act Art. 15(4)",),
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_budget,
        cases=(
            violates("none", without("mortgage-pdb")),
            *(
                violates(f"one that keeps none: {spec}", put("mortgage-pdb", "spec", spec))
                for spec in ({}, {"minAvailable": 0}, {"minAvailable": "0%"}, {"maxUnavailable": "100%"})
            ),
            passes("one each"),
            passes("one at a time", put("mortgage-pdb", "spec", {"maxUnavailable": 1})),
            cannot_tell("known later", put("mortgage-pdb", "spec.minAvailable", UNKNOWN)),
            spares("no production", facts(name="dev"), without("mortgage-pdb")),
            spares("nothing serves", without("mortgage", "tickets"), companions=("*",)),
        ),
    ),
    Rule(
        number=50,
        id="rel-probes",
        title="Every long-running container says when it is ready and alive.",
        holds="its containers have probes",
        domain=Domain.RELIABILITY,
        references=("AI Act Art. 15(4)",),
        types=LONG_RUNNING,
        severity=Severity.MEDIUM,
        resource=_probes,
        cases=(
            violates("not ready", cut("recorder", _READY)),
            violates("not alive", cut("recorder", "spec.template.spec.containers.0.livenessProbe")),
            passes("both"),
            spares("nothing runs", nothing),
            cannot_tell("known later", put("recorder", _READY, UNKNOWN)),
        ),
    ),
    Rule(
        number=51,
        id="rel-backup-metadata-db",
        title="Databases are backed up, and backups kept a week.",
        holds="backups are kept a week or more",
        domain=Domain.RELIABILITY,
        references=("AI Act Art. 15(4)", "AI Act Art. 18"),
        types=DATABASES,
        resource=_backed_up,
        remedies=(BACKED_UP,),
        cases=(
            violates("none", put("metadata", "backupRetentionPeriod", 0)),
            violates("six days", put("metadata", "backupRetentionPeriod", 6)),
            violates("not said", cut("metadata", "backupRetentionPeriod")),
            passes("seven days", put("metadata", "backupRetentionPeriod", 7)),
            spares("no database", without("metadata")),
            cannot_tell("known later", put("metadata", "backupRetentionPeriod", UNKNOWN)),
        ),
    ),
    Rule(
        number=52,
        id="rel-protect-stateful",
        title="Stores are not deleted with their stack.",
        holds="it is protected or retained",
        domain=Domain.RELIABILITY,
        references=("AI Act Art. 18",),
        types=STORES,
        resource=_protected,
        cases=(
            violates("a database", changed("metadata", protect=False)),
            violates("a bucket", changed("predictions", protect=False)),
            passes("all"),
            spares("no stores", nothing),
        ),
    ),
)
