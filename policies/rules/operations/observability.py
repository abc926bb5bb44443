"""What runs is measured, and drift raises an alert."""

from __future__ import annotations

from functools import partial

from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import System
from mlstrata.policies.core.rule import Context, Domain, Level, Rule, Severity, Verdicts, not_applicable, undeployed
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


_rule = partial(Rule, domain=Domain.OBSERVABILITY)

RULES = (
    _rule(
        id="obs-metrics-scraped",
        title="The metrics of serving workloads are collected.",
        holds="its metrics are collected",
        references=("AI Act Art. 72", "NIST AI RMF MEASURE 2.4"),
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_scraped,
    ),
    _rule(
        id="obs-drift-alert",
        title="Drift of a system's inputs raises an alert.",
        holds="a deployed alert watches for drift",
        references=("AI Act Art. 72", "AI Act Art. 15(4)", "NIST AI RMF MEASURE 2.4"),
        tiers=("high", "limited"),
        duty=Duty.HIGH_RISK,
        system=_drift,
    ),
)
