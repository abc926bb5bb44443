"""The AI Act on what a system is: declared, allowed, at the right tier, in a known role."""

from __future__ import annotations

import re

from policies.dates import Duty
from policies.facts import Document
from policies.graph import System
from policies.rule import (
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
    undeployed,
    violates,
)
from policies.samples import HIGH_RISK, LIMITED, labels
from policies.serving import is_serving
from policies.values import UNKNOWN
from policies.world import cut, documented, having, nothing, put, without

ROLES = ("provider", "deployer", "importer", "distributor")
PROHIBITED = {
    "social scoring": r"social(ly)?[ -](scor|rank)",
    "subliminal or manipulative techniques": r"subliminal|manipulat\w+ (people|persons|behaviou?r)",
    "exploiting a vulnerability": r"exploit\w* (a |the )?vulnerab",
    "predicting crime from profiling alone": r"predict\w* (whether|that|who) .{0,40}commit\w* (a )?crime",
    "scraping faces": r"scrap\w+ .{0,30}(face|facial)",
    "emotions at work or in education": r"(emotion\w*).{0,40}(employee|worker|student|pupil|workplace|school)",
    "intimate content without consent": r"undress|nudif|non-?consensual intimate",
}
ANNEX_III_WORDS = {
    "1": r"(face|facial|biometric\w*|iris|fingerprint) (recognition|identif\w+|categor\w+)",
    "3": r"(exam|grade|admission)s? .{0,30}(student|pupil|applicant|university|school)|grad(e|ing) (exams|essays)",
    "4": r"(recruit|hiring|job applica|candidate).{0,40}(rank|scor|screen|select|filter)"
    r"|(rank|scor|screen|select|filter).{0,40}(job applica|candidate|cv\b|résumé)",
    "5": r"credit[- ]?(scor|worth)|(mortgage|loan|credit) appl|(health|life) insurance .{0,20}(pric|risk|premium)"
    r"|social benefit|emergency call",
    "6": r"(re)?offend(ing|er)|evidence reliab|polygraph",
    "7": r"asylum|visa appl|border control",
    "8": r"judicial|election|voting behaviou?r",
}


def _declared(context: Context) -> Verdicts:
    serving = [resource for resource in context.graph.resources if is_serving(resource)]
    if not serving and not context.graph.systems:
        yield not_applicable("nothing answers with predictions and no AI system is declared")
    for resource in serving:
        if resource.urn not in context.graph.owners:
            yield fails(
                f"{resource.kind} '{resource.name}' answers with predictions and belongs to no declared AI system",
                "declare the system, and put the resource beneath it or label it mlstrata.io/system",
                subject=resource.name,
            )
    for system in context.graph.systems:
        for field in ("purpose", "risk.tier"):
            if not system.get(field):
                fix, at = f"declare {field}", f"/systems.{system.index}.{field}"
                yield fails(f"no {field} is declared", fix, at, subject=system.name)


def _prohibited(system: System, _: Context) -> Verdicts:
    if system.get("risk.tier") == "unacceptable":
        yield fails("the system is declared 'unacceptable', a practice that Art. 5 prohibits", "remove it", "risk.tier")
    purpose = str(system.get("purpose", "")).lower()
    for practice, pattern in PROHIBITED.items():
        if re.search(pattern, purpose):
            yield fails(
                f"its purpose reads like a prohibited practice: {practice}",
                "remove the system, or say what it is for so that it cannot be taken for that",
                "purpose",
            )


def _safeguards(system: System, _: Context) -> Verdicts:
    makes = system.get("model.task") == "generation" or str(system.get("model.modality")) in {"video", "audio"}
    if not makes:
        yield not_applicable("it makes no images, sounds or films")
    elif not system.part("content-filter"):
        yield undeployed(
            "it makes content",
            "keeps it from making intimate or abusive material",
            "model",
            part="content-filter",
            fix="deploy a filter of its output",
        )


def _tier(system: System, _: Context) -> Verdicts:
    tier, point = str(system.get("risk.tier")), str(system.get("risk.annex_iii", ""))
    fix = "declare risk.tier: high"
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


def _role(system: System, _: Context) -> Verdicts:
    role = system.get("risk.role")
    if role not in ROLES:
        yield fails("no role in the Act's sense is declared", f"declare risk.role: one of {', '.join(ROLES)}", "risk")


def _literacy(system: System, _: Context) -> Verdicts:
    if not system.get("documents.literacy"):
        yield fails(
            "no record says that those who work with it were made literate in AI",
            "name documents.literacy",
            "documents",
        )


_EXEMPT = {"condition": "a", "memo": "docs/document.md"}

RULES = (
    Rule(
        number=1,
        id="aia-system-declared",
        title="Whatever answers with predictions belongs to a declared AI system.",
        holds="whatever answers with predictions belongs to a declared system",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 3(1)", "AI Act Art. 6", "ISO/IEC 42001 A.4.2", "NIST AI RMF GOVERN 1.6"),
        duty=Duty.BANS,
        environment=_declared,
        cases=(
            violates(
                "a deployment that serves for nobody",
                having(
                    "kubernetes:machinelearning.seldon.io/v1:SeldonDeployment",
                    "stray",
                    {
                        "metadata": {"namespace": "lending", "labels": labels()},
                        "spec": {"predictors": [{"replicas": 2, "graph": {}}]},
                    },
                ),
            ),
            violates("a system without a purpose", cut(HIGH_RISK, "purpose")),
            violates("a system without a tier", cut(LIMITED, "risk.tier")),
            violates(
                "something that serves, and no system",
                nothing,
                having("kubernetes:machinelearning.seldon.io/v1:SeldonDeployment", "stray", {}),
                companions=("*",),
            ),
            passes("systems that nothing serves yet", without("mortgage", "tickets"), companions=("*",)),
            passes("two systems, and all that serves is theirs"),
            passes(
                "a label joins where the parent does not",
                having(
                    "aws:sagemaker/endpoint:Endpoint",
                    "joined",
                    {"tags": labels(LIMITED, **{"mlstrata.io/ai-disclosure": "x"})},
                ),
            ),
            spares("nothing at all", nothing),
            cannot_tell("a purpose known later", put(HIGH_RISK, "purpose", UNKNOWN), companions=("*",)),
        ),
    ),
    Rule(
        number=2,
        id="aia-prohibited-practice",
        title="No practice that Art. 5 prohibits is deployed; nobody can exempt one.",
        holds="neither tier nor purpose names a practice that Art. 5 prohibits",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 5", "NIST AI RMF MAP 1.1"),
        duty=Duty.BANS,
        severity=Severity.CRITICAL,
        system=_prohibited,
        cases=(
            violates("an unacceptable system", put(LIMITED, "risk.tier", "unacceptable")),
            violates("social scoring", put(HIGH_RISK, "purpose", "A social scoring of all citizens.")),
            violates("subliminal techniques", put(HIGH_RISK, "purpose", "Place subliminal cues in films.")),
            violates("a weakness exploited", put(HIGH_RISK, "purpose", "Exploit the vulnerability of old people.")),
            violates("crime foretold", put(HIGH_RISK, "purpose", "Predict who will commit a crime.")),
            violates("faces scraped", put(HIGH_RISK, "purpose", "Scrape photos for a facial database.")),
            violates("emotions at work", put(HIGH_RISK, "purpose", "Infer emotions of each employee.")),
            violates("people manipulated", put(HIGH_RISK, "purpose", "Manipulate people who hesitate.")),
            violates("intimate content", put(HIGH_RISK, "purpose", "Make non-consensual intimate pictures.")),
            violates("nudity made", put(HIGH_RISK, "purpose", "Undress people in photos.")),
            passes("ordinary purposes"),
            spares("no system", without(HIGH_RISK, LIMITED), companions=("*",)),
            cannot_tell("a purpose known later", put(HIGH_RISK, "purpose", UNKNOWN), companions=("*",)),
        ),
    ),
    Rule(
        number=3,
        id="aia-intimate-csam-safeguards",
        title="A system that makes content has a filter against intimate and abusive material.",
        holds="a filter stands between the model and its users",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 5(1)(ba)", "AI Act Art. 5(1)(bb)"),
        duty=Duty.INTIMATE_CONTENT,
        severity=Severity.CRITICAL,
        system=_safeguards,
        cases=(
            violates(
                "declared, and no filter",
                put(LIMITED, "model.task", "generation"),
                companions=("aia-content-marking",),
            ),
            violates(
                "a film maker without a filter",
                put(LIMITED, "model.modality", "video"),
                companions=("aia-content-marking",),
            ),
            violates(
                "a maker of sounds without a filter",
                put(LIMITED, "model.modality", "audio"),
                companions=("aia-content-marking",),
            ),
            passes(
                "a filter",
                put(LIMITED, "model.task", "generation"),
                having("mlstrata:serving:Filter", "filter", {"labels": labels(LIMITED, "content-filter")}),
                companions=("aia-content-marking",),
            ),
            spares("nothing is made"),
            cannot_tell("a task known later", put(LIMITED, "model.task", UNKNOWN), companions=("*",)),
        ),
    ),
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
    Rule(
        number=6,
        id="aia-role-declared",
        title="The organisation's role to the system is declared.",
        holds="a role is declared",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 3", "AI Act Art. 25", "ISO/IEC 42001 A.10.2"),
        duty=Duty.GENERAL,
        severity=Severity.MEDIUM,
        system=_role,
        cases=(
            violates("no role", cut(LIMITED, "risk.role")),
            violates("no role of the Act", put(LIMITED, "risk.role", "user")),
            passes("deployers"),
            passes("an importer", put(LIMITED, "risk.role", "importer")),
            spares("no system", without(HIGH_RISK, LIMITED), companions=("*",)),
            cannot_tell("a role known later", put(LIMITED, "risk.role", UNKNOWN), companions=("*",)),
        ),
    ),
    Rule(
        number=7,
        id="aia-literacy-record",
        title="A record of AI literacy training is named.",
        holds="a record of AI literacy is named",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 4", "ISO/IEC 42001 7.2", "NIST AI RMF GOVERN 2.2"),
        duty=Duty.BANS,
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_literacy,
        cases=(
            violates("no record", cut(LIMITED, "documents.literacy")),
            passes("records"),
            spares("no system", without(HIGH_RISK, LIMITED), companions=("*",)),
            cannot_tell("documents known later", put(LIMITED, "documents", UNKNOWN), companions=("*",)),
        ),
    ),
)
