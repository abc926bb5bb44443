"""What runs is measured, and drift raises an alert."""

from __future__ import annotations

from mlstrata.policies.core.graph import System
from mlstrata.policies.core.rule import (
    Context,
    Domain,
    Level,
    Rule,
    Severity,
    Verdicts,
    cannot_tell,
    not_applicable,
    passes,
    spares,
    undeployed,
    violates,
)
from mlstrata.policies.core.values import UNKNOWN
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, LIMITED
from mlstrata.policies.fixtures.world import cut, having, put, without
from mlstrata.policies.views.serving import LOCAL_FILE, alerting_on, serving

MONITORS = (
    "kubernetes:monitoring.coreos.com/v1:ServiceMonitor",
    "kubernetes:monitoring.coreos.com/v1:PodMonitor",
)
LOCAL_TARGETS = "config/prometheus/targets/"


def _scraped(system: System, _: Context) -> Verdicts:
    if not serving(system):
        yield not_applicable("nothing answers for it")
        return
    files = [one for one in system.of(LOCAL_FILE) if str(one.get("path", "")).startswith(LOCAL_TARGETS)]
    if not system.of(*MONITORS) and not files:
        yield undeployed(
            "it serves", "scrapes its metrics", "serving", fix="deploy a ServiceMonitor or PodMonitor with its label"
        )


def _drift(system: System, context: Context) -> Verdicts:
    if not serving(system):
        yield not_applicable("nothing answers for it")
    elif not alerting_on(context.graph, system, "drift"):
        yield undeployed("drift is declared in monitor.drift", "alerts on it", "monitor.drift", capability="monitoring")


_RULE = "kubernetes:monitoring.coreos.com/v1:PrometheusRule"
_TEXT = (
    "groups:\n- name: g\n  rules:\n  - alert: InputDrift\n    expr: x > 1\n    labels: {system: mortgage-approval}\n"
)
_LOCAL_RULES = {"path": "config/prometheus/rules/drift.yml", "content": _TEXT}
_ELSEWHERE = {"groups": [{"rules": [{"alert": "DataDrift", "expr": "psi > 0.2", "labels": {"system": HIGH_RISK}}]}]}

RULES = (
    Rule(
        number=61,
        id="obs-metrics-scraped",
        title="The metrics of whatever serves are collected.",
        holds="its metrics are collected",
        domain=Domain.OBSERVABILITY,
        references=("AI Act Art. 72", "NIST AI RMF MEASURE 2.4"),
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_scraped,
        cases=(
            violates("nothing does", without("mortgage-metrics")),
            violates(
                "a file of something else",
                without("mortgage-metrics"),
                having(LOCAL_FILE, "rules", {"path": "config/other.json"}, parent=HIGH_RISK),
            ),
            passes("monitors"),
            passes(
                "a file of targets",
                without("mortgage-metrics"),
                having(LOCAL_FILE, "target", {"path": f"{LOCAL_TARGETS}mortgage.json"}, parent=HIGH_RISK),
            ),
            spares("nothing answers", without("mortgage", "tickets"), companions=("*",)),
            cannot_tell(
                "a path known later",
                without("mortgage-metrics"),
                having(LOCAL_FILE, "target", {"path": UNKNOWN}, parent=HIGH_RISK),
            ),
        ),
    ),
    Rule(
        number=62,
        id="obs-drift-alert",
        title="Drift of a system's inputs raises an alert.",
        holds="a deployed alert watches for drift",
        domain=Domain.OBSERVABILITY,
        references=("AI Act Art. 72", "AI Act Art. 15(4)", "NIST AI RMF MEASURE 2.4"),
        tiers=("high", "limited"),
        system=_drift,
        cases=(
            violates("declared, and no alert", cut("tickets-alerts", "spec.groups.0.rules.0")),
            *(
                violates(
                    f"one that never can tell: {query}",
                    put("tickets-alerts", "spec.groups.0.rules.0.expr", query),
                )
                for query in ("vector(0) > 1", "absent(vector(1))", "1 and 2", "time() > 0 unless vector(1)")
            ),
            violates("no rules at all", without("tickets-alerts")),
            violates(
                "alerts of another system",
                without("tickets-alerts"),
                having(_RULE, "other", {"spec": _ELSEWHERE}),
            ),
            passes("alerts"),
            *(
                passes(f"an alert over {query}", put("tickets-alerts", "spec.groups.0.rules.0.expr", query))
                for query in ("psi > 0.2", "max by (feature) (psi)", '{__name__="psi"} > 0.2', "rate(psi[5m]) > 0")
            ),
            passes(
                "a rule elsewhere with its label",
                without("mortgage-alerts"),
                having(_RULE, "all", {"spec": _ELSEWHERE}),
                companions=("aia-pmm-plan-alerts",),
            ),
            passes(
                "a file of rules on this machine",
                without("mortgage-alerts"),
                having(LOCAL_FILE, "drift", _LOCAL_RULES),
                companions=("aia-pmm-plan-alerts",),
            ),
            spares(
                "minimal risk",
                put(HIGH_RISK, "risk.tier", "minimal"),
                put(LIMITED, "risk.tier", "minimal"),
                companions=("*",),
            ),
            spares("nothing answers", without("mortgage", "tickets"), companions=("*",)),
            cannot_tell("known later", put("mortgage-alerts", "spec", UNKNOWN), companions=("*",)),
        ),
    ),
)
