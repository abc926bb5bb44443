"""The AI Act on people: who watches a system, who can stop it, what it must achieve, and how it explains itself."""

from __future__ import annotations

from functools import partial

from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import Resource, System
from mlstrata.policies.core.kinds import SELDON
from mlstrata.policies.core.rule import (
    HIGH,
    Context,
    Domain,
    Rule,
    Severity,
    Verdicts,
    fails,
    not_applicable,
    undeployed,
)
from mlstrata.policies.core.values import dig
from mlstrata.policies.views.classification import point
from mlstrata.policies.views.serving import scores, serving


def _overseer(system: System, _: Context) -> Verdicts:
    if not system.get("oversight.owner"):
        yield fails("no human overseer is named (Art. 14)", "name a person in oversight.owner", "oversight")


def _kill_switch(system: System, _: Context) -> Verdicts:
    if not system.get("oversight.kill_switch"):
        yield fails(
            "no kill switch is declared (Art. 14(4)(e))", "oversight.kill_switch: true", "oversight.kill_switch"
        )
    elif (serving(system) or scores(system)) and not system.part("kill-switch"):
        yield undeployed(
            "a kill switch is declared",
            "is one",
            "oversight.kill_switch",
            part="kill-switch",
            fix="deploy the route or job that stops it",
        )


def _two_people(system: System, _: Context) -> Verdicts:
    if point(system) != "1a":
        yield not_applicable("Art. 14(5) asks it of remote identification, point 1(a)")
    elif not system.get("oversight.two_person"):
        yield fails(
            "two people must confirm each identification (Art. 14(5))", "oversight.two_person: true", "oversight"
        )


def _metrics(system: System, _: Context) -> Verdicts:
    kpis = system.all("kpis")
    if not any(dig(kpi, "at_least") is not None or dig(kpi, "at_most") is not None for kpi in kpis):
        yield fails("no metric with a limit is declared (Art. 15)", "declare kpis, each with a limit", "kpis")


def _explained(system: System, _: Context) -> Verdicts:
    if not system.get("risk.profiling") and point(system) in ("", "2"):
        yield not_applicable("it decides about no people")
        return
    if not system.get("serving.explain"):
        yield fails(
            "no explanation comes with its decisions about people (Art. 86)",
            "declare serving.explain; stage scale brings it",
            "serving",
        )
        return
    for resource in serving(system):
        if not system.part("explainer") and not _explains(resource):
            yield fails(
                f"explanations are declared, and {resource.kind} '{resource.name}' has no explainer",
                "deploy one, in the predictor or labelled mlstrata.io/part: explainer",
                "serving.explain",
            )


def _explains(resource: Resource) -> bool:
    if not resource.type.startswith(SELDON):
        return False
    predictors = resource.all("spec.predictors")
    return bool(predictors) and all(dig(predictor, "explainer.type") for predictor in predictors)


_high_risk = partial(Rule, domain=Domain.AI_ACT, tiers=HIGH, duty=Duty.HIGH_RISK)

RULES = (
    _high_risk(
        id="aia-oversight-owner",
        title="A high-risk system has a named human overseer.",
        holds="a human overseer is named",
        references=("AI Act Art. 14", "AI Act Art. 26(2)", "ISO/IEC 42001 A.3.2"),
        system=_overseer,
    ),
    _high_risk(
        id="aia-kill-switch",
        title="A high-risk system has a deployed kill switch.",
        holds="a kill switch is declared and deployed",
        references=("AI Act Art. 14(4)(e)", "Annex IV 3"),
        severity=Severity.CRITICAL,
        system=_kill_switch,
    ),
    _high_risk(
        id="aia-two-person-verify",
        title="Two people confirm each remote identification.",
        holds="two people confirm each result",
        references=("AI Act Art. 14(5)",),
        system=_two_people,
    ),
    _high_risk(
        id="aia-metrics-declared",
        title="A high-risk system declares metrics with limits.",
        holds="metrics with limits are declared",
        references=("AI Act Art. 15", "AI Act Art. 13(3)(b)", "Annex IV 4", "NIST AI RMF MEASURE 2.3"),
        system=_metrics,
    ),
    _high_risk(
        id="aia-right-to-explanation",
        title="Decisions of a high-risk system about people come with an explanation.",
        holds="an explainer is declared and deployed",
        references=("AI Act Art. 86", "AI Act Art. 13", "NIST AI RMF MEASURE 2.9"),
        system=_explained,
    ),
)
