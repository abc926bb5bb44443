"""SARIF 2.1.0, for code scanning: one rule a policy, one result a violation, with lasting fingerprints."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

from mlstrata.policies.core.evaluate import Report, Result
from mlstrata.policies.core.rule import Level, Outcome, Rule, Severity
from mlstrata.policies.reports.places import Places

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
KIND = "mlstrata/v1"
HELP = "https://eur-lex.europa.eu/eli/reg/2024/1689/oj"
_SCORE = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}


def render(reports: list[tuple[Report, Places]]) -> str:
    """Return one SARIF log with one run for all environments."""
    rules = list({result.rule.id: result.rule for report, _ in reports for result in report.results}.values())
    index = {rule.id: at for at, rule in enumerate(rules)}
    seen: Counter[str] = Counter()
    results = [
        _result(result, report, places, index) | {"partialFingerprints": {KIND: fingerprint(result, report, seen)}}
        for report, places in reports
        for result in report.results
        if result.outcome in (Outcome.FAIL, Outcome.EXEMPT)
    ]
    driver = {
        "name": "mlstrata",
        "informationUri": HELP,
        "semanticVersion": "0.1.0",
        "rules": [_rule(rule) for rule in rules],
    }
    failed = any(not report.passed for report, _ in reports)
    notices = [
        {"level": level, "message": {"text": f"{report.environment.name}: {said}"}}
        for report, _ in reports
        for level, all_said in (("error", report.errors), ("warning", report.warnings))
        for said in all_said
    ]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "exitCode": int(failed), "toolExecutionNotifications": notices}],
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def fingerprint(result: Result, report: Report, seen: Counter[str]) -> str:
    """Return what stays the same for a finding as long as policy, environment, subject and property do.

    A system counts by its name: its place among the others changes when one comes before it. Of several findings
    alike, such as two of one pod, each has its number.

    Args:
        result: The finding.
        report: What it is of.
        seen: How often each was given in this document; counted here.
    """
    subject = result.urn.rpartition("::")[2] or result.subject
    at = list(map(str, result.at))
    if at[:1] == ["systems"] and len(at) > 1 and int(at[1]) < len(report.systems):
        at[1] = report.systems[int(at[1])][0]
    key = "\n".join((result.rule.id, report.environment.name, subject, result.subject, ".".join(at)))
    seen[key] += 1
    key += f"\n{seen[key]}" if seen[key] > 1 else ""
    return hashlib.sha256(key.encode()).hexdigest()


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.title} ({'; '.join(rule.references)})"},
        "helpUri": HELP,
        "defaultConfiguration": {"level": "error" if rule.level is Level.MANDATORY else "warning"},
        "properties": {
            "tags": [rule.domain.value, *rule.references],
            "security-severity": _SCORE[rule.severity],
            "precision": "high",
        },
    }


def _result(result: Result, report: Report, places: Places, index: dict[str, int]) -> dict[str, Any]:
    place = places.of(result)
    text = f"{result.subject}: {result.reason}" + (f" ({result.when})" if result.when else "")
    found: dict[str, Any] = {
        "ruleId": result.rule.id,
        "ruleIndex": index[result.rule.id],
        "level": "error" if result.blocking else "warning",
        "message": {"text": f"{text}. Fix: {result.fix}" if result.fix else text},
        "properties": {"environment": report.environment.name, "subject": result.subject},
    }
    location: dict[str, Any] = {
        "logicalLocations": [{"name": result.subject, "fullyQualifiedName": result.urn or result.subject}]
    }
    if place.file:
        location["physicalLocation"] = {"artifactLocation": {"uri": place.file.replace("\\", "/")}}
        if place.line:
            location["physicalLocation"]["region"] = {"startLine": place.line, "startColumn": place.column}
    found["locations"] = [location]
    if result.exemption is not None:
        justification = f"{result.exemption.reason} ({result.exemption.ticket}, {result.exemption.approver})"
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": justification}]
    return found
