"""The AI Act on risk: the declared tier against the tier that answers lead to, and the way out of Art. 6(3)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mlstrata.environments.classification import RANKS
from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import System
from mlstrata.policies.core.rule import Context, Domain, Level, Rule, Severity, Verdicts, fails, not_applicable
from mlstrata.policies.core.values import dig
from mlstrata.policies.views.classification import classified, point, product, risk
from mlstrata.policies.views.documents import read
from mlstrata.policies.views.purpose import Topic, topics_of
from mlstrata.policies.views.serving import makes_content

TIERS = tuple(tier.value for tier in RANKS)
_LEADS_TO = {"practice": "unacceptable", "annex_iii": "high", "annex_i": "high"}
"""Question to the tier that the answer which a purpose reads like leads to; limited for any other."""
_DUE_TODAY = {
    "practice": "none, or the practice of Art. 5 that it is used for",
    "contact": "true where people interact with it directly (Art. 50(1)), else false",
}
"""What others ask of every system, as it is due today: the practice aia-prohibited-practice, which nobody can exempt,
contact aia-interaction-disclosure."""
_BELOW_HIGH = {
    "annex_iii": "none, or the point of Annex III that its purpose falls under",
    "annex_i": "true where it is, or keeps safe, a product under Annex I that a third party assesses, else false",
}
_OF_PEOPLE = {"profiling": "true where it evaluates aspects of natural persons, else false"}
_OF_SENSES = {"biometrics": "none, verification, identification, categorisation or emotion_recognition"}
_AT_HIGH = {"affects": "whom its output concerns, such as [consumers], or []"}


def _tier(system: System, _: Context) -> Verdicts:
    tier = str(system.get("risk.tier", ""))
    if tier and tier not in TIERS:
        yield fails(
            f"tier '{tier}' is none of the Act's, so no duty would be asked", f"one of {', '.join(TIERS)}", "risk.tier"
        )
        return
    found = classified(system)
    if _rank(found.tier) > _rank(tier):
        for reason in found.reasons:
            yield fails(f"{reason}, and tier '{tier}' is declared", f"declare risk.tier: {found.tier}", "risk.tier")
        return
    if tier == "high" and not product(system) and not point(system) and _open(system, "annex_iii", "annex_i"):
        yield fails(
            "tier 'high' is declared with neither a point of Annex III nor a product under Annex I; assessment of "
            "rights, registration and explanation hang on them",
            "answer risk.annex_iii, and risk.annex_i or risk.product",
            "risk",
        )
        return
    asked = _DUE_TODAY | _questions(system)
    for topic in _read_like(system):
        # Only an open question that blocks by itself is told here: the words choose which is named, and no more.
        if topic.question not in asked:
            continue
        if _rank(_LEADS_TO.get(topic.question, "limited")) > _rank(tier) and _open(system, topic.question):
            yield fails(
                f"its purpose has words of {topic.name}, and risk.{topic.question} is not answered",
                f"answer risk.{topic.question}: {asked[topic.question]}",
                f"risk.{topic.question}",
            )


def _answered(system: System, _: Context) -> Verdicts:
    for question, allowed in _questions(system).items():
        if _open(system, question):
            yield fails(f"risk.{question} is not answered, and the tier hangs on it", f"write {allowed}", "risk")


def _questions(system: System) -> dict[str, str]:
    """Return the questions that decide something about a system and wait for a day, each with what may be answered."""
    asked = dict(_AT_HIGH if system.get("risk.tier") == "high" else _BELOW_HIGH)
    if point(system) or any(dig(one, "classification") == "personal" for one in system.all("data")):
        asked |= _OF_PEOPLE
    if system.get("model.modality") in {"image", "audio", "video"} or point(system).startswith("1"):
        asked |= _OF_SENSES
    if system.get("risk.product"):
        asked.pop("annex_i", None)
    return asked


def _doubts(system: System, _: Context) -> Verdicts:
    tier, found = str(system.get("risk.tier", "")), classified(system)
    decided = not _open(system, "annex_iii") and (bool(system.get("risk.product")) or not _open(system, "annex_i"))
    if decided and not _open(system, "practice") and tier != "unacceptable" and _rank(tier) > _rank(found.tier):
        yield fails(
            f"tier '{tier}' is declared, and the answers lead to '{found.tier}' only",
            f"declare risk.tier: {found.tier}, or answer what makes it {tier}",
            "risk.tier",
        )
    for topic in _contradicted(system):
        given = dig(risk(system), topic.question)
        yield fails(
            f"its purpose has words of {topic.name}, and risk.{topic.question} answers {_said(given)}",
            "check the answer; where it is right, nothing has to change",
            f"risk.{topic.question}",
        )
    if system.get("risk.profiling") and dig(risk(system), "affects") == []:
        yield fails("it profiles people, and its output is said to concern nobody", "answer risk.affects", "risk")
    if system.get("risk.exemption.condition") in {"a", "c", "d"} and system.get("risk.does") == "decides":
        yield fails(
            "a condition of Art. 6(3) is claimed for what only prepares or checks, and risk.does answers 'decides'",
            "answer what it does, or remove the exemption",
            "risk.does",
        )


def _contradicted(system: System) -> Iterator[Topic]:
    """Yield what the purpose reads like where the answer says otherwise; one topic an area, and none that is met."""
    topics, given = _read_like(system), point(system)
    if given and any(topic.question == "annex_iii" and topic.area == given[:1] for topic in topics):
        topics = [topic for topic in topics if topic.question != "annex_iii"]
    seen = set()
    for topic in topics:
        answer = dig(risk(system), topic.question)
        if topic.question == "generates":
            denied = not makes_content(system)  # where it is not answered, the model's task is the answer
        else:
            denied = answer is not None and (topic.question == "annex_iii" or answer in ("none", False))
        if not denied or (topic.question, topic.area) in seen:
            continue
        if topic.question == "annex_i" and product(system):
            continue
        seen.add((topic.question, topic.area))
        yield topic


def _read_like(system: System) -> list[Topic]:
    return list(topics_of(str(system.get("purpose", ""))))


def _open(system: System, *questions: str) -> bool:
    return all(dig(risk(system), question) is None for question in questions)


def _said(answer: object) -> str:
    if answer is None:
        return "nothing"
    return str(answer).lower() if isinstance(answer, bool | list | tuple) else f"'{answer}'"


def _rank(tier: str) -> int:
    return TIERS.index(tier) if tier in TIERS else 0


def _exemption(system: System, context: Context) -> Verdicts:
    memo = system.get("risk.exemption.memo")
    if not system.get("risk.exemption"):
        yield not_applicable("no exemption under Art. 6(3) is claimed")
        return
    if system.get("risk.profiling"):
        yield fails("a system that profiles people cannot claim Art. 6(3)", "remove risk.exemption", "risk.exemption")
    elif _open(system, "profiling"):
        yield fails(
            "Art. 6(3) is claimed, and nobody said that the system profiles no people",
            "answer risk.profiling; true voids the exemption",
            "risk.exemption",
        )
    if not memo or not system.get("risk.exemption.condition"):
        yield fails(
            "Art. 6(3) is claimed without a condition and the assessment that Art. 6(4) asks for",
            "name the condition (a to d) and the memo",
            "risk.exemption",
        )
    else:
        known, wrong = read(context, str(memo), "assessment", "risk.exemption.memo")
        yield from wrong
        if known is not None and not ((known.dated or known.reviewed) and known.signed):
            yield fails(
                f"the assessment {memo} is not dated and signed (Art. 6(4))",
                "write lines `Date: YYYY-MM-DD` and `Signed by: NAME`",
                "risk.exemption.memo",
            )


_rule = partial(Rule, domain=Domain.AI_ACT, duty=Duty.HIGH_RISK)

RULES = (
    _rule(
        id="aia-tier-consistent",
        title="The declared tier is not below the tier that the answers under `risk` lead to.",
        holds="the declared tier is that of the answers",
        references=("AI Act Art. 5", "AI Act Art. 6", "AI Act Art. 50", "AI Act Annex III", "NIST AI RMF MAP 1.1"),
        severity=Severity.CRITICAL,
        system=_tier,
    ),
    _rule(
        id="aia-art6-3-documented",
        title="An exemption under Art. 6(3) is documented and claimed for no system that profiles people.",
        holds="the claimed exemption is documented",
        references=("AI Act Art. 6(3)", "AI Act Art. 6(4)"),
        system=_exemption,
    ),
    _rule(
        id="aia-risk-answered",
        title="Every question under `risk` that decides about the tier or a duty is answered.",
        holds="what decides is answered",
        references=("AI Act Art. 6", "AI Act Art. 50", "Annex IV 1", "ISO/IEC 42001 A.5.2", "NIST AI RMF MAP 1.1"),
        system=_answered,
    ),
    _rule(
        id="aia-classification-doubts",
        title="Tier, answers and the words of the purpose do not contradict each other.",
        holds="tier, answers and purpose agree",
        references=("AI Act Art. 6", "AI Act Annex III", "NIST AI RMF MAP 1.1"),
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_doubts,
    ),
)
