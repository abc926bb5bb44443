"""What a machine reads: every result, the passed ones too."""

from __future__ import annotations

import json
from typing import Any

from mlstrata.policies.core.dates import effective
from mlstrata.policies.core.evaluate import Report, Result
from mlstrata.policies.frameworks import Pack, line, state_of
from mlstrata.policies.reports.places import Places
from mlstrata.policies.reports.text import summary


def render(reports: list[tuple[Report, Places]]) -> str:
    """Return one JSON document: a list with an object for each environment."""
    return json.dumps([document(report, places) for report, places in reports], indent=2) + "\n"


def document(report: Report, places: Places) -> dict[str, Any]:
    """Return a report as plain data."""
    return {
        "environment": report.environment.name,
        "passed": report.passed,
        "today": report.calendar.today.isoformat(),
        "as_of": report.calendar.as_of.isoformat(),
        "enforce": report.calendar.enforcement.value,
        "resources": report.resources,
        "systems": [{"name": name, "tier": tier} for name, tier in report.systems],
        "counts": report.counts,
        "summary": summary(report),
        "frameworks": [_framework(pack, report) for pack in report.frameworks],
        "not_inspected": list(report.not_inspected),
        "unread": list(report.unread),
        "errors": list(report.errors),
        "warnings": list(report.warnings),
        "results": [_result(result, places) for result in report.results],
    }


def _framework(pack: Pack, report: Report) -> dict[str, Any]:
    worst = report.worst
    duties = [
        {
            **duty.model_dump(mode="json"),
            "state": state_of(duty, worst).value,
            "applies": duty.since <= report.calendar.as_of,
        }
        for duty in pack.duties
    ]
    return {"id": pack.id, "version": pack.version, "summary": line(pack, worst), "duties": duties}


def _result(result: Result, places: Places) -> dict[str, Any]:
    place = places.of(result)
    duty = effective(result.rule.duty)
    return {
        "policy": result.rule.id,
        "number": result.rule.number,
        "title": result.rule.title,
        "references": list(result.rule.references),
        "domain": result.rule.domain.value,
        "severity": result.rule.severity.value,
        "level": result.rule.level.value,
        "effective_from": duty.isoformat() if duty.year > 1 else None,
        "outcome": result.outcome.value,
        "blocking": result.blocking,
        "undetermined": result.undetermined,
        "subject": result.subject,
        "urn": result.urn,
        "reason": result.reason,
        "when": result.when,
        "fix": result.fix,
        "file": place.file,
        "line": place.line,
        "exemption": result.exemption.model_dump(mode="json") if result.exemption else None,
    }
