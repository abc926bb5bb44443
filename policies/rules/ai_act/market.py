"""The AI Act on what others are told: disclosure, marking, monitoring after the release, incidents."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import System
from mlstrata.policies.core.rule import (
    HIGH,
    Context,
    Domain,
    Rule,
    Severity,
    Verdict,
    Verdicts,
    fails,
    not_applicable,
    undeployed,
)
from mlstrata.policies.views.classification import asked_of, point, roles
from mlstrata.policies.views.documents import named
from mlstrata.policies.views.serving import alerting_on, makes_content, serving

DISCLOSURE = "mlstrata.io/ai-disclosure"


def _disclosed(system: System, _: Context) -> Verdicts:
    article, contact = _told(system), system.get("risk.contact")
    if contact is None and not system.get("risk.disclosure"):
        yield fails(
            "risk.contact is not answered: nobody has said whether people interact with it, who must be told (Art. 50)",
            "write `contact: false`; or true, and in risk.disclosure how they are told",
            "risk",
        )
    elif contact is not None and not article:
        yield not_applicable("nobody interacts with it, and it neither reads emotions nor categorises people")
    if not article or system.get("risk.disclosure"):
        return
    answering = serving(system)
    if not answering:
        yield not_applicable("nothing deployed answers for it")
    for resource in answering:
        if not resource.label(DISCLOSURE):
            yield fails(
                f"{resource.kind} '{resource.name}' does not tell people that they deal with AI ({article})",
                f"tell them, and say how in risk.disclosure, or in the label {DISCLOSURE}",
                "risk",
            )


def _told(system: System) -> str:
    """Return what asks that people are told, whatever the tier; empty where nothing does."""
    biometrics = str(system.get("risk.biometrics", "none"))
    if biometrics in {"emotion_recognition", "categorisation"} or point(system) in {"1b", "1c"}:
        return "Art. 50(3)"
    return "Art. 50(1)" if system.get("risk.contact") else ""


def _marked(system: System, _: Context) -> Verdicts:
    if not makes_content(system):
        yield not_applicable("it generates no content")
    elif not system.part("content-marker"):
        yield undeployed(
            "it generates content",
            "marks it as artificial (Art. 50(2))",
            "model",
            part="content-marker",
            fix="deploy what marks its output",
        )


def _post_market(system: System, context: Context) -> Verdicts:
    yield from named(system, context, "monitoring_plan", "post-market monitoring plan", "Art. 72")[1]
    yield from _without_alerts(system, context)


def _watched_in_use(system: System, context: Context) -> Verdicts:
    if "provider" in roles(system):
        yield not_applicable("its provider runs it: what Art. 72 asks of that (aia-pmm-plan-alerts) covers the use")
        return
    yield from _without_alerts(system, context, "Art. 26(5)")
    if not system.get("oversight.provider_contact"):
        yield fails(
            "nobody says where its provider is told of risks and serious incidents (Art. 26(5))",
            "name the provider's address in oversight.provider_contact",
            "oversight",
        )


def _without_alerts(system: System, context: Context, article: str = "Art. 72") -> Iterator[Verdict]:
    if not alerting_on(context.graph, system, "drift"):
        yield undeployed(
            f"its inputs must be watched for drift ({article})",
            "alerts on it",
            "monitor.drift",
            capability="monitoring",
        )
    if not alerting_on(context.graph, system, "error", "slow", "latency", "availab", "budget"):
        yield undeployed(f"its performance must be watched ({article})", "alerts on it", "serving.sla")


def _incidents(system: System, context: Context) -> Verdicts:
    what = "runbook of what to do on a serious incident, and by when"
    yield from named(system, context, "incident_runbook", what, "Art. 73: 15, 10 or 2 days")[1]
    if not context.graph.part("alert-route") and not context.graph.part("monitoring"):
        yield undeployed(
            "serious incidents must be reported to a person (Art. 73)",
            "carries an alert to a person",
            "oversight",
            part="alert-route",
        )


_rule = partial(Rule, domain=Domain.AI_ACT)

RULES = (
    _rule(
        id="aia-interaction-disclosure",
        title="People who interact with a system, or whose emotions or categories it reads, are told of it.",
        holds="people are told, as somebody declares",
        references=("AI Act Art. 50(1)", "AI Act Art. 50(3)"),
        duty=Duty.GENERAL,
        severity=Severity.MEDIUM,
        system=_disclosed,
    ),
    _rule(
        id="aia-content-marking",
        title="Generated content is marked as artificial.",
        holds="generated content is marked",
        references=("AI Act Art. 50(2)",),
        tiers=(),
        duty=Duty.MARKING,
        system=_marked,
    ),
    _rule(
        id="aia-pmm-plan-alerts",
        title="A high-risk system has a post-market monitoring plan, carried out by alerts on drift and performance.",
        holds="plan and alerts exist",
        references=("AI Act Art. 72", "Annex IV 9", "NIST AI RMF MANAGE 4.1"),
        tiers=HIGH,
        duty=Duty.HIGH_RISK,
        system=asked_of("Art. 72", _post_market, "provider"),
    ),
    _rule(
        id="aia-deployer-monitors",
        title="A deployer watches a high-risk system in use, and can tell its provider of what it finds.",
        holds="alerts on drift and performance exist, and the provider's address is named",
        references=("AI Act Art. 26(5)", "AI Act Art. 72", "NIST AI RMF MANAGE 3.1"),
        severity=Severity.MEDIUM,
        tiers=HIGH,
        duty=Duty.HIGH_RISK,
        system=asked_of("Art. 26(5)", _watched_in_use, "deployer"),
    ),
    _rule(
        id="aia-incident-route",
        title="Serious incidents have a runbook and a deployed alert route to a person.",
        holds="runbook and alert route exist",
        references=("AI Act Art. 73", "ISO/IEC 42001 A.8.4", "NIST AI RMF MANAGE 4.3"),
        tiers=HIGH,
        duty=Duty.HIGH_RISK,
        system=_incidents,
    ),
)
