"""Alert rules over what the monitor measures: each says value, limit, window and column.

The monitor decides what is certain; a rule asks whether it did, and tells who is responsible. Where a training may
answer an alert, its label `cause` says what was found (`environments.spec.retrain.Cause`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from mlstrata.environments.spec.monitor import COMPARED
from mlstrata.environments.spec.quantities import format_duration
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.alerts.rules import Subject
from mlstrata.services.alerts.settings import Severity
from mlstrata.services.monitor.drift import FEW_VALUES
from mlstrata.services.monitor.names import FAILED, FOUND, VALUES, WORSE
from mlstrata.services.monitor.verdict import Watch

_CAUSES = frozenset({Watch.INPUT_DRIFT, Watch.OUTPUT_DRIFT, Watch.PERFORMANCE, Watch.FAIRNESS})


def monitoring_rules(system: SystemSpec, owner: str) -> str:
    """Return the rules about a system's inputs, answers and declared figures."""
    psi = system.monitor.drift.psi
    drift = f"{psi:g} ({psi * FEW_VALUES:g} of a column of named values)"
    rules = [
        _rule(system, owner, "InputDrift", Watch.INPUT_DRIFT, "input {column} has drifted, PSI {value}", drift),
        _rule(system, owner, "OutputDrift", Watch.OUTPUT_DRIFT, "answer {column} has drifted, PSI {value}", drift),
        _rule(
            *(system, owner, "DataQuality", Watch.QUALITY, "input {column} in a share of {value}"),
            f"{WORSE:g} more than in training",
        ),
    ]
    figures = (
        _rule(
            *(system, owner, "PerformanceDegraded", Watch.PERFORMANCE, "{column} is {value}", kpi.limit),
            severity="critical",
            only=kpi.metric,
        )
        for kpi in system.kpis
        if kpi.gates
    )
    rules += figures
    blind = f"{system.name} answers, and is not watched; `mlstrata monitor` says why"
    rules.append(
        Subject(system.name, owner).rule(
            "MonitorBlind", f'{FAILED}{{system="{system.name}"}} == 1', "5m", "warning", summary=blind
        )
    )
    return _text(f"{system.name}-monitor", rules)


def fairness_rules(system: SystemSpec, owner: str) -> str:
    """Return the rule about the difference between groups."""
    declared = system.monitor.fairness
    metric = (declared and declared.metric) or COMPARED[system.model.task.value][0]
    limit = f"{declared.at_most:g}" if declared else "not declared"
    said = f"groups of {{column}} differ in {metric.value.replace('_', ' ')} by {{value}}"
    rule = _rule(system, owner, "FairnessGap", Watch.FAIRNESS, said, limit, severity="critical")
    return _text(f"{system.name}-fairness", [rule])


def promise_rules(system: SystemSpec, owner: str) -> str:
    """Return the rule about what is promised to consumers, over the whole window."""
    sla = system.serving.sla
    limit = f"{sla.p99.total_seconds():g} s, {(100 - sla.availability) / 100:g} failed"
    rule = _rule(system, owner, "SlaMissed", Watch.SERVICE, "{column} is {value}", limit)
    return _text(f"{system.name}-promise", [rule])


def _rule(  # noqa: PLR0917 - one row of a table
    system: SystemSpec,
    owner: str,
    alert: str,
    watch: Watch,
    said: str,
    limit: str,
    *,
    severity: Severity = "warning",
    only: str = "",
) -> dict[str, Any]:
    which = f'system="{system.name}"' + (f',column="{only}"' if only else "")
    found = f'{FOUND}{{{which},watch="{watch.value}"}} == 1'
    expression = f"{VALUES[watch]}{{{which}}} and on (system, version, column) ({found})"
    value, column = '{{ $value | printf "%.4g" }}', "{{ $labels.column }}"
    window = format_duration(system.monitor.drift.window)
    summary = f"{system.name}: {said.format(column=column, value=value)}; limit {limit}; over {window}"
    rule = Subject(system.name, owner).rule(alert, expression, "0s", severity, summary=summary)
    rule["annotations"] |= {"value": value, "limit": limit, "window": window, "column": column}
    if watch in _CAUSES:
        rule["labels"]["cause"] = watch.value
    return rule


def _text(group: str, rules: Sequence[dict[str, Any]]) -> str:
    return str(yaml.safe_dump({"groups": [{"name": group, "rules": list(rules)}]}, sort_keys=False, width=1000))
