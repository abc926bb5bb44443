"""The AI Act on risk: the tier that is declared, against everything else that is, and the way out of Art. 6(3)."""

from __future__ import annotations

import re
from functools import partial

from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import System
from mlstrata.policies.core.rule import Context, Domain, Rule, Severity, Verdicts, fails, not_applicable

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


_rule = partial(Rule, domain=Domain.AI_ACT)

RULES = (
    _rule(
        id="aia-tier-consistent",
        title="The declared tier matches Annex III, Annex I, profiling and the purpose.",
        holds="the declared tier matches the rest of the declaration",
        references=("AI Act Art. 6", "AI Act Annex III", "Annex IV 1", "NIST AI RMF MAP 1.1"),
        duty=Duty.HIGH_RISK,
        severity=Severity.CRITICAL,
        system=_tier,
    ),
    _rule(
        id="aia-art6-3-documented",
        title="An exemption under Art. 6(3) is documented and claimed for no system that profiles people.",
        holds="the claimed exemption is documented",
        references=("AI Act Art. 6(3)", "AI Act Art. 6(4)"),
        duty=Duty.HIGH_RISK,
        system=_exemption,
    ),
)
