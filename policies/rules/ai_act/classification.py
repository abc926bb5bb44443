"""The AI Act on what a system is: declared, allowed, in a known role, run by people who know."""

from __future__ import annotations

import re
from functools import partial

from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import PART_LABEL, SYSTEM_LABEL, Resource, System
from mlstrata.policies.core.rule import (
    Context,
    Domain,
    Level,
    Outcome,
    Rule,
    Severity,
    Verdict,
    Verdicts,
    fails,
    not_applicable,
    one_by_one,
    undeployed,
)
from mlstrata.policies.core.values import UnknownValueError
from mlstrata.policies.views.documents import named
from mlstrata.policies.views.serving import is_serving, makes_content

ROLES = ("provider", "deployer", "importer", "distributor")
PROHIBITED = {
    "social scoring": r"social(ly)?[ -](scor|rank)",
    "subliminal or manipulative techniques": r"subliminal|manipulat\w+ (people|persons|behaviou?r)",
    "exploiting a vulnerability": r"exploit\w* (a |the )?vulnerab",
    "predicting crime from profiling alone": r"predict\w* (whether|that|who) .{0,40}commit\w* (a )?crime",
    "scraping faces": r"scrap\w+ .{0,30}(face|facial)",
    "emotions at work or in education": r"(emotion\w*).{0,40}(employee|worker|student|pupil|workplace|school)",
    "intimate content without consent": r"undress|nudif|non-?consensual intimate|child sexual",
    "sorting people by what their bodies tell of their beliefs": r"(infer|deduc|categori[sz]|classif)\w* .{0,60}"
    r"(race|religio|sexual orientation|political opinion|trade union)\w* .{0,40}(face|voice|biometr|gait|photo)",
    "remote identification as it happens": r"(real[- ]time|live) .{0,40}(biometric|facial|face) (identif|recogn)",
}


def _declared(context: Context) -> Verdicts:
    said = list(one_by_one(context.graph.resources, partial(_owned, context)))
    yield from said
    if not said and not context.graph.systems and not any(map(is_serving, context.graph.resources)):
        yield not_applicable("nothing serves predictions and no AI system is declared")
    for system in context.graph.systems:
        for field in ("purpose", "risk.tier"):
            if not system.get(field):
                fix, at = f"declare {field}", f"/systems.{system.index}.{field}"
                yield fails(f"no {field} is declared", fix, at, subject=system.name)


def _owned(context: Context, resource: Resource) -> Verdicts:
    if resource.urn in context.graph.owners:
        return
    try:
        answers = is_serving(resource)
    except UnknownValueError as error:
        label = f"label it {SYSTEM_LABEL}, or {PART_LABEL} where it serves no model"
        yield Verdict(Outcome.UNKNOWN, f"whether it answers with predictions: {error.reason}", label, subject=resource)
        return
    if not answers:
        return
    # Where a manifest's system is declared, the manifest does not hold: its label says which one it is.
    if not resource.label(SYSTEM_LABEL) or not resource.record.file:
        yield fails(
            f"{resource.kind} '{resource.name}' answers with predictions and belongs to no declared AI system",
            "declare the system, and put the resource beneath it or label it mlstrata.io/system",
            subject=resource,
        )


def _prohibited(system: System, _: Context) -> Verdicts:
    if str(system.get("risk.tier", "")).strip().lower() == "unacceptable":
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
    if not makes_content(system):
        yield not_applicable("it generates no images, audio or video")
    elif not system.part("content-filter"):
        yield undeployed(
            "it generates content",
            "keeps it from making intimate or abusive material",
            "model",
            part="content-filter",
            fix="deploy a filter of its output",
        )


def _role(system: System, _: Context) -> Verdicts:
    role = system.get("risk.role")
    if role not in ROLES:
        yield fails("no role in the Act's sense is declared", f"declare risk.role: one of {', '.join(ROLES)}", "risk")


def _literacy(system: System, context: Context) -> Verdicts:
    yield from named(system, context, "literacy", "record of AI literacy training", "Art. 4")[1]


_rule = partial(Rule, domain=Domain.AI_ACT)

RULES = (
    _rule(
        id="aia-system-declared",
        title="Every workload that serves predictions belongs to a declared AI system.",
        holds="every workload that serves predictions belongs to a declared system",
        references=("AI Act Art. 3(1)", "AI Act Art. 6", "ISO/IEC 42001 A.4.2", "NIST AI RMF GOVERN 1.6"),
        duty=Duty.BANS,
        environment=_declared,
    ),
    _rule(
        id="aia-prohibited-practice",
        title="No practice prohibited by Art. 5 is deployed; there are no exemptions.",
        holds="neither tier nor purpose names a practice that Art. 5 prohibits",
        references=("AI Act Art. 5", "NIST AI RMF MAP 1.1"),
        duty=Duty.BANS,
        severity=Severity.CRITICAL,
        system=_prohibited,
    ),
    _rule(
        id="aia-intimate-csam-safeguards",
        title="A system that generates content has a filter against intimate and abusive material.",
        holds="a filter stands between the model and its users",
        references=("AI Act Art. 5(1)(ba)", "AI Act Art. 5(1)(bb)"),
        duty=Duty.INTIMATE_CONTENT,
        severity=Severity.CRITICAL,
        system=_safeguards,
    ),
    _rule(
        id="aia-role-declared",
        title="The organisation's role to the system is declared.",
        holds="a role is declared",
        references=("AI Act Art. 3", "AI Act Art. 25", "ISO/IEC 42001 A.10.2"),
        duty=Duty.GENERAL,
        severity=Severity.MEDIUM,
        system=_role,
    ),
    _rule(
        id="aia-literacy-record",
        title="A record of AI literacy training is named.",
        holds="a record of AI literacy is named",
        references=("AI Act Art. 4", "ISO/IEC 42001 7.2", "NIST AI RMF GOVERN 2.2"),
        duty=Duty.BANS,
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_literacy,
    ),
)
