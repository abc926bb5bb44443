"""The AI Act on what others are told: disclosure, marking, monitoring after the release, incidents."""

from __future__ import annotations

from collections.abc import Iterator

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
    cannot_tell,
    fails,
    not_applicable,
    passes,
    spares,
    undeployed,
    violates,
)
from mlstrata.policies.core.values import UNKNOWN
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, LIMITED, labels
from mlstrata.policies.fixtures.world import cut, having, put, without
from mlstrata.policies.remedies.cluster import disclosed
from mlstrata.policies.views.serving import alerting_on, makes_content, serving

DISCLOSURE = "mlstrata.io/ai-disclosure"


def _disclosed(system: System, _: Context) -> Verdicts:
    answering = serving(system)
    if not answering:
        yield not_applicable("nothing deployed answers for it")
    for resource in answering:
        if not resource.label(DISCLOSURE):
            yield fails(
                f"{resource.kind} '{resource.name}' does not tell people that they deal with AI (Art. 50(1))",
                f"disclose it in the answer, and say how in the label {DISCLOSURE}",
                "serving",
            )


def _marked(system: System, _: Context) -> Verdicts:
    if not makes_content(system):
        yield not_applicable("it makes no content")
    elif not system.part("content-marker"):
        yield undeployed(
            "it makes content",
            "marks it as artificial (Art. 50(2))",
            "model",
            part="content-marker",
            fix="deploy what marks its output",
        )


def _post_market(system: System, context: Context) -> Verdicts:
    if not system.get("documents.monitoring_plan"):
        yield fails(
            "no post-market monitoring plan is named (Art. 72)", "write it, name documents.monitoring_plan", "documents"
        )
    yield from _without_alerts(system, context)


def _without_alerts(system: System, context: Context) -> Iterator[Verdict]:
    if not alerting_on(context.graph, system, "drift"):
        yield undeployed(
            "its inputs must be watched for drift (Art. 72)", "alerts on it", "monitor.drift", capability="monitoring"
        )
    if not alerting_on(context.graph, system, "error", "slow", "latency", "availab", "budget"):
        yield undeployed("its performance must be watched (Art. 72)", "alerts on it", "serving.sla")


def _incidents(system: System, context: Context) -> Verdicts:
    if not system.get("documents.incident_runbook"):
        yield fails(
            "no runbook says what to do on a serious incident, and by when (Art. 73: 15, 10 or 2 days)",
            "write it and name documents.incident_runbook",
            "documents",
        )
    if not context.graph.part("alert-route") and not context.graph.part("monitoring"):
        yield undeployed(
            "somebody must hear of a serious incident (Art. 73)",
            "carries an alert to a person",
            "oversight",
            part="alert-route",
        )


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
_GENERATES = put(LIMITED, "model.task", "generation")

RULES = (
    _rule(
        23,
        "aia-interaction-disclosure",
        "People who deal with an AI system of limited risk are told so.",
        "its answers say that they come from AI",
        ("AI Act Art. 50(1)",),
        tiers=("limited",),
        duty=Duty.GENERAL,
        severity=Severity.MEDIUM,
        system=_disclosed,
        remedies=(disclosed(DISCLOSURE),),
        cases=(
            violates("nothing says so", cut("tickets", "metadata.labels.mlstrata~io/ai-disclosure")),
            passes("a header says so"),
            spares("no limited risk", without(LIMITED), companions=("*",)),
            spares("nothing answers", without("tickets"), companions=("*",)),
            cannot_tell(
                "known later", put("tickets", "metadata.labels.mlstrata~io/ai-disclosure", UNKNOWN), companions=("*",)
            ),
        ),
    ),
    _rule(
        24,
        "aia-content-marking",
        "Content that a system makes is marked as artificial.",
        "what it makes is marked",
        ("AI Act Art. 50(2)",),
        tiers=(),
        duty=Duty.GENERAL,
        system=_marked,
        cases=(
            violates("made, and no marker", _GENERATES, companions=("aia-intimate-csam-safeguards",)),
            violates(
                "sound without a marker",
                put(LIMITED, "model", {"modality": "audio"}),
                companions=("aia-intimate-csam-safeguards",),
            ),
            violates(
                "films without a marker",
                put(LIMITED, "model", {"modality": "video"}),
                companions=("aia-intimate-csam-safeguards",),
            ),
            passes(
                "marked",
                _GENERATES,
                having("mlstrata:serving:Marker", "marker", {"labels": labels(LIMITED, "content-marker")}),
                companions=("aia-intimate-csam-safeguards",),
            ),
            spares("nothing is made"),
            spares("what is said is only sorted", put(LIMITED, "model.modality", "audio")),
            cannot_tell("a task known later", put(LIMITED, "model.task", UNKNOWN), companions=("*",)),
        ),
    ),
    _rule(
        26,
        "aia-pmm-plan-alerts",
        "A high-risk system has a post-market monitoring plan, and alerts on drift and performance that carry it out.",
        "plan and alerts are there",
        ("AI Act Art. 72", "Annex IV 9", "NIST AI RMF MANAGE 4.1"),
        duty=Duty.GENERAL,
        system=_post_market,
        cases=(
            violates("no plan", cut(HIGH_RISK, "documents.monitoring_plan")),
            violates(
                "declared, and no drift alert",
                cut("mortgage-alerts", "spec.groups.0.rules.0"),
                companions=("obs-drift-alert",),
            ),
            violates(
                "no alert on performance",
                cut("mortgage-alerts", "spec.groups.0.rules.2"),
                cut("mortgage-alerts", "spec.groups.0.rules.1"),
            ),
            violates("declared, and no alerts", without("mortgage-alerts"), companions=("obs-drift-alert",)),
            passes("plan and alerts"),
            *(
                passes(
                    f"an alert on {word}",
                    cut("mortgage-alerts", "spec.groups.0.rules.2"),
                    put("mortgage-alerts", "spec.groups.0.rules.1.alert", word),
                )
                for word in ("ErrorRate", "SlowAnswers", "HighLatency", "Availability", "BudgetBurn")
            ),
            _NO_HIGH_RISK,
            cannot_tell("alerts known later", put("mortgage-alerts", "spec.groups", UNKNOWN), companions=("*",)),
        ),
    ),
    _rule(
        27,
        "aia-incident-route",
        "A serious incident has a runbook and a deployed route to a person.",
        "runbook and route are there",
        ("AI Act Art. 73", "ISO/IEC 42001 A.8.4", "NIST AI RMF MANAGE 4.3"),
        duty=Duty.GENERAL,
        system=_incidents,
        cases=(
            violates("no runbook", cut(HIGH_RISK, "documents.incident_runbook")),
            violates("declared, and no route", without("alert-routes")),
            passes("both"),
            passes(
                "our own monitoring", without("alert-routes"), having("mlstrata:monitoring:Monitoring", "monitoring")
            ),
            _NO_HIGH_RISK,
            cannot_tell(
                "a runbook known later", put(HIGH_RISK, "documents.incident_runbook", UNKNOWN), companions=("*",)
            ),
        ),
    ),
)
