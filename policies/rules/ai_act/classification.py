"""The AI Act on what a system is: declared, allowed, in a known role, run by people who know."""

from __future__ import annotations

from functools import partial

from mlstrata.environments.spec.risk import Practice, Tier
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
from mlstrata.policies.core.values import UnknownValueError, dig
from mlstrata.policies.views.classification import ROLES, classified, declared_roles, risk, trained_here
from mlstrata.policies.views.documents import named
from mlstrata.policies.views.serving import is_serving, makes_content

_PRACTICES = ", ".join(practice for practice in Practice if practice is not Practice.NONE)


def _declared(context: Context) -> Verdicts:
    said = list(one_by_one(context.graph.resources, partial(_owned, context)))
    yield from said
    if not said and not context.graph.systems and not any(map(is_serving, context.graph.resources)):
        yield not_applicable("nothing serves predictions and no AI system is declared")
    for system in context.graph.systems:
        for field in ("purpose", "risk.tier"):
            if not system.get(field):
                fix, at = f"declare {field}", f"/systems.{system.name}.{field}"
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
    found = classified(system)
    if found.tier == Tier.UNACCEPTABLE:
        yield fails(found.reasons[0], "remove the system", "risk.practice")
    elif dig(risk(system), "practice") is None:
        yield fails(
            "risk.practice is not answered: nobody has said that it is used for no practice that Art. 5 prohibits",
            f"write `practice: none`, or which it is: {_PRACTICES}",
            "risk",
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
    declared = declared_roles(system)
    if odd := [role for role in declared if role not in ROLES]:
        yield fails(f"role '{odd[0]}' is none of the Act's", f"risk.role: one or several of {', '.join(ROLES)}", "risk")
        return
    if "provider" in declared or system.get("risk.provider"):
        return
    if trained_here(system):
        yield fails(
            "its model is trained here and risk.role does not say provider; who develops a system and puts it into "
            "service under its own name is its provider (Art. 3(3))",
            "risk.role: [provider, deployer], or name in risk.provider whose system it is",
            "risk",
        )
    elif not declared:
        yield fails(
            "no role in the Act's sense is declared", f"risk.role: one or several of {', '.join(ROLES)}", "risk"
        )


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
        title="Every system is said to be used for no practice that Art. 5 prohibits; there are no exemptions.",
        holds="it is said to be used for no practice that Art. 5 prohibits",
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
        title="The organisation's roles are declared, provider among them where the model is trained here.",
        holds="a role is declared",
        references=("AI Act Art. 3", "AI Act Art. 25", "ISO/IEC 42001 A.10.2"),
        duty=Duty.HIGH_RISK,
        severity=Severity.MEDIUM,
        system=_role,
    ),
    _rule(
        id="aia-literacy-record",
        title="A record of AI literacy training is there.",
        holds="a record of AI literacy is there",
        references=("AI Act Art. 4", "ISO/IEC 42001 7.2", "NIST AI RMF GOVERN 2.2"),
        duty=Duty.BANS,
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_literacy,
    ),
)
