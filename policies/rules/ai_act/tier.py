"""The AI Act on risk: the tier that is declared, against everything else that is, and the way out of Art. 6(3)."""

from __future__ import annotations

import re

from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.facts import Document
from mlstrata.policies.core.graph import System
from mlstrata.policies.core.rule import (
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
    violates,
)
from mlstrata.policies.core.values import UNKNOWN
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, LIMITED
from mlstrata.policies.fixtures.world import documented, put, without

TIERS = ("minimal", "limited", "high", "unacceptable")
ANNEX_III_WORDS = {
    "1": r"(face|facial|biometric\w*|iris|fingerprint) (recognition|identif\w+|categor\w+)",
    "2": r"(power|electricity|gas|heating|water) (grid|supply|network)|road traffic (control|management)"
    r"|critical (digital )?infrastructure",
    "3": r"(exam|grade|admission)s? .{0,30}(student|pupil|applicant|university|school)|grad(e|ing) (exams|essays)",
    "4": r"(recruit|hiring|job applica|candidate).{0,40}(rank|scor|screen|select|filter)"
    r"|(rank|scor|screen|select|filter).{0,40}(job applica|candidate|cv\b|résumé)",
    "5": r"credit[- ]?(scor|worth)|(mortgage|loan|credit) appl|(health|life) insurance .{0,20}(pric|risk|premium)"
    r"|social benefit|emergency call",
    "6": r"(re)?offend(ing|er)|evidence reliab|polygraph",
    "7": r"asylum|visa appl|border control",
    "8": r"judicial|election|voting behaviou?r",
}


def _tier(system: System, _: Context) -> Verdicts:
    tier, point = str(system.get("risk.tier", "")), str(system.get("risk.annex_iii", ""))
    fix = "declare risk.tier: high"
    if tier and tier not in TIERS:
        yield fails(
            f"tier '{tier}' is none of the Act's, so no duty would be asked", f"one of {', '.join(TIERS)}", "risk.tier"
        )
        return
    if tier in {"high", "unacceptable"}:
        return
    if system.get("risk.annex_i"):
        yield fails("a safety component of a product under Annex I is high risk", fix, "risk.tier")
    if point and system.get("risk.profiling"):
        yield fails(f"Annex III point {point} with profiling of people is always high risk", fix, "risk.tier")
    elif point and not system.get("risk.exemption"):
        yield fails(
            f"Annex III point {point} is high risk, and tier '{tier}' is declared",
            f"{fix}, or document in risk.exemption why Art. 6(3) lets it off",
            "risk.tier",
        )
    if point:
        return
    purpose = str(system.get("purpose", "")).lower()
    for suspected, pattern in ANNEX_III_WORDS.items():
        if re.search(pattern, purpose):
            yield fails(
                f"its purpose reads like Annex III point {suspected}, and tier '{tier}' is declared with no point",
                "declare risk.annex_iii and tier high, or word the purpose so that it cannot be taken for that",
                "purpose",
            )
            return


def _exemption(system: System, context: Context) -> Verdicts:
    memo = system.get("risk.exemption.memo")
    if not system.get("risk.exemption"):
        yield not_applicable("no exemption under Art. 6(3) is claimed")
        return
    if system.get("risk.profiling"):
        yield fails("a system that profiles people cannot claim Art. 6(3)", "remove risk.exemption", "risk.exemption")
    if not memo or not system.get("risk.exemption.condition"):
        yield fails(
            "Art. 6(3) is claimed without a condition and the assessment that Art. 6(4) asks for",
            "name the condition (a to d) and the memo",
            "risk.exemption",
        )
    elif (known := context.environment.documents.get(str(memo))) is not None and known.exists is False:
        yield fails(f"the assessment {memo} does not exist", "write it", "risk.exemption.memo")


_EXEMPT = {"condition": "a", "memo": "docs/document.md"}

RULES = (
    Rule(
        number=4,
        id="aia-tier-consistent",
        title="The declared tier fits Annex III, Annex I, profiling and the purpose.",
        holds="the declared tier fits what else is declared",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 6", "AI Act Annex III", "Annex IV 1", "NIST AI RMF MAP 1.1"),
        duty=Duty.HIGH_RISK,
        severity=Severity.CRITICAL,
        system=_tier,
        cases=(
            violates("a point of Annex III at limited risk", put(LIMITED, "risk.annex_iii", "4a")),
            violates("a tier that the Act does not know", put(LIMITED, "risk.tier", "High"), companions=("*",)),
            violates("a product's safety component at limited risk", put(LIMITED, "risk.annex_i", True)),
            violates(
                "an exemption that profiling voids",
                put(LIMITED, "risk.annex_iii", "4a"),
                put(LIMITED, "risk.profiling", True),
                put(LIMITED, "risk.exemption", _EXEMPT),
                companions=("aia-art6-3-documented", "aia-eu-db-registered"),
            ),
            violates(
                "a purpose below its point",
                put(LIMITED, "purpose", "Rank candidates for a job before a recruiter sees them."),
            ),
            *(
                violates(purpose, put(LIMITED, "purpose", purpose))
                for purpose in (
                    "Biometric categorisation of visitors.",
                    "Grade essays of a class.",
                    "Balance the electricity grid.",
                    "Advise road traffic control.",
                    "Guard critical digital infrastructure.",
                    "Answer each emergency call in turn.",
                    "Read a polygraph.",
                    "Assist border control.",
                    "Foresee voting behaviour.",
                    "Sort a candidate by a score of the screen test and select one.",
                )
            ),
            passes(
                "a prohibited one is not asked again",
                put(LIMITED, "risk.tier", "unacceptable"),
                put(LIMITED, "risk.annex_iii", "4a"),
                companions=("aia-prohibited-practice",),
            ),
            violates("credit at limited risk", put(LIMITED, "purpose", "Credit scoring of customers.")),
            passes(
                "a documented exemption",
                put(LIMITED, "risk.annex_iii", "4a"),
                put(LIMITED, "risk.exemption", _EXEMPT),
                companions=("aia-eu-db-registered",),
            ),
            passes("high risk under 5b, limited with no point"),
            spares("no system", without(HIGH_RISK, LIMITED), companions=("*",)),
            cannot_tell("a point known later", put(LIMITED, "risk.annex_iii", UNKNOWN), companions=("*",)),
        ),
    ),
    Rule(
        number=5,
        id="aia-art6-3-documented",
        title="An exemption under Art. 6(3) is documented and claimed for no system that profiles people.",
        holds="the claimed exemption is documented",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 6(3)", "AI Act Art. 6(4)"),
        duty=Duty.HIGH_RISK,
        system=_exemption,
        cases=(
            violates(
                "a memo that is not there",
                put(LIMITED, "risk.exemption", {"condition": "a", "memo": "docs/gone.md"}),
                documented("docs/gone.md", Document(exists=False)),
                companions=("aia-eu-db-registered",),
            ),
            violates(
                "no memo", put(LIMITED, "risk.exemption", {"condition": "a"}), companions=("aia-eu-db-registered",)
            ),
            violates(
                "no condition",
                put(LIMITED, "risk.exemption", {"memo": "docs/document.md"}),
                companions=("aia-eu-db-registered",),
            ),
            violates(
                "profiling",
                put(LIMITED, "risk.exemption", _EXEMPT),
                put(LIMITED, "risk.profiling", True),
                companions=("aia-eu-db-registered",),
            ),
            passes("documented", put(LIMITED, "risk.exemption", _EXEMPT), companions=("aia-eu-db-registered",)),
            spares("none is claimed"),
            cannot_tell("an exemption known later", put(LIMITED, "risk.exemption", UNKNOWN), companions=("*",)),
        ),
    ),
)
