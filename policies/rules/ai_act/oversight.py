"""The AI Act on people: who watches a system, who can stop it, what it must achieve, and how it explains itself."""

from __future__ import annotations

from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import Resource, System
from mlstrata.policies.core.rule import (
    HIGH,
    Context,
    Domain,
    Rule,
    Severity,
    Verdicts,
    cannot_tell,
    fails,
    not_applicable,
    passes,
    spares,
    undeployed,
    violates,
)
from mlstrata.policies.core.values import UNKNOWN, dig
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, labels, workload
from mlstrata.policies.fixtures.world import cut, having, put, without
from mlstrata.policies.views.kubernetes import SELDON
from mlstrata.policies.views.serving import serving


def _overseer(system: System, _: Context) -> Verdicts:
    if not system.get("oversight.owner"):
        yield fails("nobody is named who watches over it (Art. 14)", "name a person in oversight.owner", "oversight")


def _kill_switch(system: System, _: Context) -> Verdicts:
    if not system.get("oversight.kill_switch"):
        yield fails(
            "no way to stop it is declared (Art. 14(4)(e))", "oversight.kill_switch: true", "oversight.kill_switch"
        )
    elif serving(system) and not system.part("kill-switch"):
        yield undeployed(
            "a kill switch is declared",
            "is one",
            "oversight.kill_switch",
            part="kill-switch",
            fix="deploy the route or job that stops it",
        )


def _two_people(system: System, _: Context) -> Verdicts:
    if str(system.get("risk.annex_iii", "")) != "1a":
        yield not_applicable("Art. 14(5) asks it of remote identification, point 1(a)")
    elif not system.get("oversight.two_person"):
        yield fails(
            "two people must confirm each identification (Art. 14(5))", "oversight.two_person: true", "oversight"
        )


def _metrics(system: System, _: Context) -> Verdicts:
    kpis = system.all("kpis")
    if not any(dig(kpi, "at_least") is not None or dig(kpi, "at_most") is not None for kpi in kpis):
        yield fails("no figure with a limit is declared (Art. 15)", "declare kpis, each with a limit", "kpis")


def _explained(system: System, _: Context) -> Verdicts:
    if not system.get("risk.profiling") and str(system.get("risk.annex_iii", "2")) == "2":
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


def _rule(number: int, name: str, title: str, holds: str, references: tuple[str, ...], **fields: object) -> Rule:
    given = {"tiers": HIGH, "duty": Duty.HIGH_RISK, **fields}
    return Rule(
        number=number,
        id=name,
        title=title,
        holds=holds,
        references=references,
        domain=Domain.AI_ACT,
        **given,  # type: ignore[arg-type]
    )


_NO_HIGH_RISK = spares("no high risk", without(HIGH_RISK), companions=("*",))
_P0 = "spec.predictors.0"

RULES = (
    _rule(
        15,
        "aia-oversight-owner",
        "Somebody is named who watches over a high-risk system.",
        "somebody is named",
        ("AI Act Art. 14", "AI Act Art. 26(2)", "ISO/IEC 42001 A.3.2"),
        system=_overseer,
        cases=(
            violates("nobody", cut(HIGH_RISK, "oversight.owner")),
            passes("somebody"),
            _NO_HIGH_RISK,
            cannot_tell("known later", put(HIGH_RISK, "oversight.owner", UNKNOWN), companions=("*",)),
        ),
    ),
    _rule(
        16,
        "aia-kill-switch",
        "A high-risk system can be stopped at once, by something that is deployed.",
        "a kill switch is declared and deployed",
        ("AI Act Art. 14(4)(e)", "Annex IV 3"),
        severity=Severity.CRITICAL,
        system=_kill_switch,
        cases=(
            violates("none declared", put(HIGH_RISK, "oversight.kill_switch", False)),
            violates("declared, and none deployed", without("mortgage-stop")),
            passes("declared and deployed"),
            passes("nothing to stop", without("mortgage", "mortgage-stop"), companions=("*",)),
            _NO_HIGH_RISK,
            cannot_tell("known later", put(HIGH_RISK, "oversight.kill_switch", UNKNOWN), companions=("*",)),
        ),
    ),
    _rule(
        17,
        "aia-two-person-verify",
        "Two people confirm each remote identification.",
        "two people confirm each result",
        ("AI Act Art. 14(5)",),
        system=_two_people,
        cases=(
            violates("one person", put(HIGH_RISK, "risk.annex_iii", "1a")),
            passes("two", put(HIGH_RISK, "risk.annex_iii", "1a"), put(HIGH_RISK, "oversight.two_person", True)),
            spares("another point"),
            cannot_tell("a point known later", put(HIGH_RISK, "risk.annex_iii", UNKNOWN), companions=("*",)),
        ),
    ),
    _rule(
        18,
        "aia-metrics-declared",
        "A high-risk system declares what it must achieve, with limits.",
        "figures with limits are declared",
        ("AI Act Art. 15", "AI Act Art. 13(3)(b)", "Annex IV 4", "NIST AI RMF MEASURE 2.3"),
        system=_metrics,
        cases=(
            violates("none", put(HIGH_RISK, "kpis", []), companions=("life-promotion-gate",)),
            violates("no limit", cut(HIGH_RISK, "kpis.0.at_least"), companions=("life-promotion-gate",)),
            passes("a lowest value"),
            passes("a highest value", put(HIGH_RISK, "kpis", [{"metric": "brier", "at_most": 0.1}])),
            _NO_HIGH_RISK,
            cannot_tell("known later", put(HIGH_RISK, "kpis", UNKNOWN), companions=("*",)),
        ),
    ),
    _rule(
        64,
        "aia-right-to-explanation",
        "Decisions of a high-risk system about people come with an explanation.",
        "an explainer is declared and deployed",
        ("AI Act Art. 86", "AI Act Art. 13", "NIST AI RMF MEASURE 2.9"),
        system=_explained,
        cases=(
            violates("none declared", cut(HIGH_RISK, "serving.explain")),
            violates("declared, and no explainer", cut("mortgage", f"{_P0}.explainer")),
            violates(
                "a deployment without one",
                having("kubernetes:apps/v1:Deployment", "plain", workload("plain", "serving"), parent=HIGH_RISK),
                having("mlstrata:recording:Recording", "own-recorder", {"labels": labels(HIGH_RISK)}),
                companions=("*",),
            ),
            violates(
                "a pump that profiles people", put(HIGH_RISK, "risk.annex_iii", "2"), cut(HIGH_RISK, "serving.explain")
            ),
            violates(
                "a school, with no profiling",
                put(HIGH_RISK, "risk.annex_iii", "3a"),
                put(HIGH_RISK, "risk.profiling", False),
                cut(HIGH_RISK, "serving.explain"),
            ),
            passes("explained"),
            passes(
                "a part of its own",
                cut("mortgage", f"{_P0}.explainer"),
                having("mlstrata:serving:Explainer", "explainer", {"labels": labels(HIGH_RISK, "explainer")}),
            ),
            spares("a product", cut(HIGH_RISK, "risk.annex_iii"), put(HIGH_RISK, "risk.profiling", False)),
            spares("a pump", put(HIGH_RISK, "risk.annex_iii", "2"), put(HIGH_RISK, "risk.profiling", False)),
            cannot_tell("known later", put(HIGH_RISK, "serving.explain", UNKNOWN), companions=("*",)),
        ),
    ),
)
