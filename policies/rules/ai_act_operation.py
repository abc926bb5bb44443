"""The AI Act on what a system does while it runs: records, people who watch it, and what it tells others."""

from __future__ import annotations

from collections.abc import Iterator

from policies.dates import Duty
from policies.graph import Resource, System
from policies.kubernetes import SELDON
from policies.retention import days_kept
from policies.rule import (
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
    violates,
)
from policies.samples import HIGH_RISK, LIMITED, labels, workload
from policies.serving import alerting_on, logged, recorders, serving
from policies.values import UNKNOWN, dig
from policies.world import cut, facts, having, put, without

SIX_MONTHS, TEN_YEARS = 183, 3650
DISCLOSURE = "mlstrata.io/ai-disclosure"


def _logging(system: System, context: Context) -> Verdicts:
    answering = serving(system)
    if not answering:
        yield not_applicable("nothing deployed answers for it")
        return
    for resource in answering:
        if not logged(resource, system):
            yield fails(
                f"requests to {resource.kind} '{resource.name}' are not recorded (Art. 12)",
                "switch its request logger on for all requests and name where it sends them",
                "serving",
            )
    if not recorders(context.graph):
        yield fails(
            "nothing deployed takes in what is recorded (Art. 12)",
            "deploy a recorder, labelled mlstrata.io/part: recorder; the capability `recording` brings it",
            "/capabilities",
        )


def _log_retention(context: Context) -> Verdicts:
    if not any(system.get("risk.tier") == "high" for system in context.graph.systems):
        yield not_applicable("no AI system at tier high is declared")
        return
    for what in ("predictions", "logs"):
        days = context.environment.retention.get(what)
        if days is not None and days < SIX_MONTHS:
            yield fails(
                f"{what} are kept {days:g} days; Art. 19 and 26(6) ask for at least {SIX_MONTHS}",
                f"retention.{what}: {SIX_MONTHS}d or more",
                f"/retention.{what}",
                subject=what,
            )
    found = list(_kept(context))
    for resource, days in found:
        if days is not None and days < SIX_MONTHS:
            yield fails(
                f"{resource.kind} '{resource.name}' keeps records {days:g} days; at least {SIX_MONTHS} are asked for",
                f"keep them {SIX_MONTHS} days or more",
                "/retention",
                subject=resource.name,
            )
    if not found:
        yield fails(
            "retention is declared, and nothing deployed keeps logs or predictions",
            "deploy the store, labelled mlstrata.io/part: predictions or logs",
            "/retention",
        )


def _kept(context: Context) -> Iterator[tuple[Resource, float | None]]:
    for resource in context.graph.resources:
        if (days := days_kept(resource, context.graph)) is not None:
            yield resource, days


def _document_retention(context: Context) -> Verdicts:
    if not any(system.get("risk.tier") == "high" for system in context.graph.systems):
        yield not_applicable("no AI system at tier high is declared")
        return
    days = context.environment.retention.get("documents")
    if days is not None and days < TEN_YEARS:
        yield fails(
            f"documents are kept {days:g} days; Art. 18 asks for ten years ({TEN_YEARS})",
            "retention.documents: 10y",
            "/retention.documents",
        )
    locks = context.graph.of("aws:s3/bucketObjectLockConfiguration")
    for lock in locks:
        years, kept = lock.get("rule.defaultRetention.years", 0), lock.get("rule.defaultRetention.days", 0)
        if int(years) * 365 + int(kept) < TEN_YEARS:
            yield fails(
                f"the object lock '{lock.name}' holds documents under ten years",
                f"lock them {TEN_YEARS} days",
                "/retention.documents",
                subject=lock.name,
            )
    if not locks and not context.graph.part("documents"):
        yield fails(
            "nothing deployed keeps documents for ten years (Art. 18)",
            "deploy a store with an object lock, labelled mlstrata.io/part: documents",
            "/retention.documents",
        )
    elif not locks:
        yield fails(
            "the store of documents has no object lock, so what it keeps can be deleted within ten years (Art. 18)",
            f"lock its objects for {TEN_YEARS} days",
            "/retention.documents",
        )


def _overseer(system: System, _: Context) -> Verdicts:
    if not system.get("oversight.owner"):
        yield fails("nobody is named who watches over it (Art. 14)", "name a person in oversight.owner", "oversight")


def _kill_switch(system: System, _: Context) -> Verdicts:
    if not system.get("oversight.kill_switch"):
        yield fails(
            "no way to stop it is declared (Art. 14(4)(e))", "oversight.kill_switch: true", "oversight.kill_switch"
        )
    elif serving(system) and not system.part("kill-switch"):
        yield fails(
            "a kill switch is declared, and nothing deployed is one",
            "deploy the route or job that stops it, labelled mlstrata.io/part: kill-switch",
            "oversight.kill_switch",
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
    if system.get("model.task") != "generation" and str(system.get("model.modality")) not in {"video", "audio"}:
        yield not_applicable("it makes no content")
    elif not system.part("content-marker"):
        yield fails(
            "it makes content, and nothing deployed marks it as artificial (Art. 50(2))",
            "mark its output, by a part labelled mlstrata.io/part: content-marker",
            "model",
        )


def _post_market(system: System, context: Context) -> Verdicts:
    if not system.get("documents.monitoring_plan"):
        yield fails(
            "no post-market monitoring plan is named (Art. 72)", "write it, name documents.monitoring_plan", "documents"
        )
    yield from _without_alerts(system, context)


def _without_alerts(system: System, context: Context) -> Iterator[Verdict]:
    if not alerting_on(context.graph, system, "drift"):
        yield fails(
            "no deployed alert watches its inputs for drift (Art. 72)",
            "deploy one; the capability `monitoring` brings it",
            "monitor.drift",
        )
    if not alerting_on(context.graph, system, "error", "slow", "latency", "availab", "budget"):
        yield fails("no deployed alert watches how it performs (Art. 72)", "deploy one", "serving.sla")


def _incidents(system: System, context: Context) -> Verdicts:
    if not system.get("documents.incident_runbook"):
        yield fails(
            "no runbook says what to do on a serious incident, and by when (Art. 73: 15, 10 or 2 days)",
            "write it and name documents.incident_runbook",
            "documents",
        )
    if not context.graph.part("alert-route") and not context.graph.part("monitoring"):
        yield fails(
            "no deployed route carries an alert to a person (Art. 73)",
            "deploy one, labelled mlstrata.io/part: alert-route",
            "oversight",
        )


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


_NO_HIGH_RISK = spares("no high risk", without(HIGH_RISK), companions=("*",))
_P0 = "spec.predictors.0"
_GENERATES = put(LIMITED, "model.task", "generation")


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


RULES = (
    _rule(
        11,
        "aia-request-logging",
        "Every request to a high-risk system is recorded, and something takes the records in.",
        "every request is recorded",
        ("AI Act Art. 12", "AI Act Art. 19", "ISO/IEC 42001 A.6.2.8"),
        severity=Severity.CRITICAL,
        system=_logging,
        cases=(
            violates("no logger", cut("mortgage", f"{_P0}.graph.logger")),
            violates("only answers are logged", put("mortgage", f"{_P0}.graph.logger.mode", "response")),
            violates("nowhere to send them", cut("mortgage", f"{_P0}.graph.logger.url")),
            violates("declared, and no recorder", without("recorder")),
            violates("no predictors", put("mortgage", "spec.predictors", []), companions=("aia-right-to-explanation",)),
            violates(
                "the second predictor has none",
                put("mortgage", "spec.predictors", [{"replicas": 2, "graph": {}, "explainer": {"type": "x"}}]),
            ),
            violates(
                "our own serving, without its recorder",
                having(
                    "mlstrata:serving:Serving", "own", {"labels": {"mlstrata.io/ai-disclosure": "x"}}, parent=HIGH_RISK
                ),
                companions=("aia-right-to-explanation",),
            ),
            passes("logger and recorder"),
            passes(
                "the logger of a unit below",
                put(
                    "mortgage",
                    f"{_P0}.graph",
                    {"name": "a", "children": [{"name": "b", "logger": {"mode": "all", "url": "http://r"}}]},
                ),
            ),
            passes(
                "KServe's logger",
                having(
                    "kubernetes:serving.kserve.io/v1beta1:InferenceService",
                    "kserve",
                    {"spec": {"predictor": {"logger": {"mode": "all", "url": "http://r"}}}},
                    parent=HIGH_RISK,
                ),
                companions=("*",),
            ),
            spares("nothing answers", without("mortgage"), companions=("*",)),
            cannot_tell("a mode known later", put("mortgage", f"{_P0}.graph.logger.mode", UNKNOWN), companions=("*",)),
        ),
    ),
    _rule(
        12,
        "aia-log-retention-6m",
        "Records and logs of a high-risk system are kept at least 183 days.",
        "records and logs are kept at least 183 days",
        ("AI Act Art. 19", "AI Act Art. 26(6)"),
        tiers=(),
        environment=_log_retention,
        cases=(
            violates("90 days declared", facts(retention={"predictions": 90.0, "logs": 200.0, "documents": 3650.0})),
            violates("logs of 182 days", facts(retention={"predictions": 400.0, "logs": 182.0, "documents": 3650.0})),
            violates("a bucket of 30 days", put("predictions-lifecycle", "rules.0.expiration.days", 30)),
            violates("a log group of 30 days", put("platform-logs", "retentionInDays", 30)),
            violates("Prometheus of 15 days", put("prometheus", "spec.retention", "15d")),
            violates(
                "a local Prometheus of 30 days",
                having(
                    "pulumi-python:dynamic/mlstrata:Service",
                    "local",
                    {"name": "prometheus", "command": ["prometheus", "--storage.tsdb.retention.time=30d"]},
                ),
            ),
            violates(
                "declared, and no store",
                without("predictions-lifecycle", "protected-lifecycle", "platform-logs", "prometheus"),
                companions=("data-retention-lifecycle",),
            ),
            passes(
                "183 days",
                put("predictions-lifecycle", "rules.0.expiration.days", 183),
                facts(retention={"predictions": 183.0, "logs": 183.0, "documents": 3650.0}),
            ),
            spares("no high risk", without(HIGH_RISK), companions=("*",)),
            cannot_tell("days known later", put("platform-logs", "retentionInDays", UNKNOWN), companions=("*",)),
        ),
    ),
    _rule(
        13,
        "aia-docs-retention-10y",
        "Documents of a high-risk system are kept ten years, where nobody can delete them.",
        "documents are locked for ten years",
        ("AI Act Art. 18",),
        tiers=(),
        environment=_document_retention,
        cases=(
            violates("a year declared", facts(retention={"documents": 365.0, "predictions": 400.0, "logs": 200.0})),
            violates("a lock of nine years", put("documents-lock", "rule.defaultRetention", {"years": 9})),
            violates("a lock of a day less", put("documents-lock", "rule.defaultRetention.days", 3649)),
            violates("declared, and no lock", without("documents-lock")),
            violates(
                "declared, and no store",
                without("documents-lock", "documents", "documents-closed", "documents-encryption"),
            ),
            passes("ten years", put("documents-lock", "rule.defaultRetention", {"years": 10})),
            spares("no high risk", without(HIGH_RISK), companions=("*",)),
            cannot_tell("days known later", put("documents-lock", "rule", UNKNOWN), companions=("*",)),
        ),
    ),
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
        23,
        "aia-interaction-disclosure",
        "People who deal with an AI system of limited risk are told so.",
        "its answers say that they come from AI",
        ("AI Act Art. 50(1)",),
        tiers=("limited",),
        duty=Duty.GENERAL,
        severity=Severity.MEDIUM,
        system=_disclosed,
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
                put(LIMITED, "model.modality", "audio"),
                companions=("aia-intimate-csam-safeguards",),
            ),
            passes(
                "marked",
                _GENERATES,
                having("mlstrata:serving:Marker", "marker", {"labels": labels(LIMITED, "content-marker")}),
                companions=("aia-intimate-csam-safeguards",),
            ),
            spares("nothing is made"),
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
            passes("explained"),
            passes(
                "a part of its own",
                cut("mortgage", f"{_P0}.explainer"),
                having("mlstrata:serving:Explainer", "explainer", {"labels": labels(HIGH_RISK, "explainer")}),
            ),
            spares("a pump", put(HIGH_RISK, "risk.annex_iii", "2"), put(HIGH_RISK, "risk.profiling", False)),
            cannot_tell("known later", put(HIGH_RISK, "serving.explain", UNKNOWN), companions=("*",)),
        ),
    ),
)
