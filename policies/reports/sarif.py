"""SARIF 2.1.0, for code scanning: one rule a policy, one result a policy and resource, with lasting fingerprints.

Code scanning asks more than the standard: a physical place with a line for every result, its own key of fingerprints,
and no more results than it keeps.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlstrata.policies.core.evaluate import Report, Result, day_of
from mlstrata.policies.core.rule import Level, Outcome, Rule, Severity
from mlstrata.policies.reports.places import Places

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
KIND, LINE_HASH = "mlstrata/v1", "primaryLocationLineHash"
"""Keys of the fingerprint: our own, and the one that code scanning reads; without it, it hashes the line."""
SITE = "https://github.com/mlstrata/mlstrata"
HELP = f"{SITE}/blob/main/docs/policies.md"
MOST = 25_000
"""Results of a run that code scanning takes; it refuses a larger file whole."""
_SCORE = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}


def render(reports: list[tuple[Report, Places]]) -> str:
    """Return one SARIF log with one run for all environments."""
    rules = list({result.rule.id: result.rule for report, _ in reports for result in report.results}.values())
    index = {rule.id: at for at, rule in enumerate(rules)}
    seen: Counter[str] = Counter()
    found = [
        _result(alike, report, places, index)
        | {"partialFingerprints": dict.fromkeys((KIND, LINE_HASH), fingerprint(alike[0], report, seen))}
        for report, places in reports
        for alike in _by_resource(report)
    ]
    # What blocks is kept first.
    results = sorted(found, key=lambda one: one["level"] != "error")[:MOST] if len(found) > MOST else found
    driver = {
        "name": "mlstrata",
        "informationUri": SITE,
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
    if len(found) > MOST:
        left_out = f"{len(found) - MOST} of {len(found)} results are left out: code scanning takes {MOST} of a run"
        notices.append({"level": "warning", "message": {"text": left_out}})
    names = "+".join(dict.fromkeys(report.environment.name for report, _ in reports))
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"mlstrata/{names}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "exitCode": int(failed), "toolExecutionNotifications": notices}],
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _by_resource(report: Report) -> list[list[Result]]:
    """Return the findings, those of one policy about one resource together: four containers are one alert."""
    found: dict[tuple[object, ...], list[Result]] = {}
    for result in report.results:
        if result.outcome in (Outcome.FAIL, Outcome.EXEMPT):
            key = (result.rule.id, result.urn or result.subject, result.file, result.outcome, str(result.exemption))
            found.setdefault(key, []).append(result)
    return list(found.values())


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
    at = ".".join(map(str, result.at))
    key = "\n".join((result.rule.id, report.environment.name, subject, result.subject, at))
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
        "help": {"text": _help(rule, "", ""), "markdown": _help(rule, "**", "`")},
        "defaultConfiguration": {"level": "error" if rule.level is Level.MANDATORY else "warning"},
        "properties": {
            "tags": [rule.domain.value, *rule.references],
            "security-severity": _SCORE[rule.severity],
            "precision": "high",
        },
    }


def _help(rule: Rule, strong: str, code: str) -> str:
    """Return what a policy asks, whom, since when, and what may let a violation pass, as text or as markdown."""
    of = f"Asked of systems at tier {' or '.join(rule.tiers)}. " if rule.tiers else ""
    day = day_of(rule)
    when = f"Blocks from {day}, or today with {code}enforce: now{code}." if day else "Blocks whatever the day."
    if rule.level is not Level.MANDATORY:
        when = "Advises, and blocks nothing."
    return (
        f"{strong}{rule.title}{strong}\n\n{of}{when} It serves {'; '.join(rule.references)}.\n\n"
        f"A violation may be exempted for a while in {code}policies/exemptions.yaml{code}, with approver, ticket and "
        f"end, unless it is of Art. 5. A policy proves that something is there, never that it is legally adequate."
    )


def _result(alike: list[Result], report: Report, places: Places, index: dict[str, int]) -> dict[str, Any]:
    result = alike[0]
    place = places.of(result)
    found: dict[str, Any] = {
        "ruleId": result.rule.id,
        "ruleIndex": index[result.rule.id],
        "level": "error" if any(one.blocking for one in alike) else "warning",
        "message": {"text": "\n".join(dict.fromkeys(map(_said, alike)))},
        "properties": {"environment": report.environment.name, "subject": result.subject},
    }
    location: dict[str, Any] = {
        "logicalLocations": [{"name": result.subject, "fullyQualifiedName": result.urn or result.subject}]
    }
    # What is about no line is about the file, whose first stands for it.
    region = {"startLine": max(place.line, 1), "startColumn": max(place.column, 1)}
    location["physicalLocation"] = {"artifactLocation": _artifact(place.file or "."), "region": region}
    found["locations"] = [location]
    if result.exemption is not None:
        justification = f"{result.exemption.reason} ({result.exemption.ticket}, {result.exemption.approver})"
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": justification}]
    return found


def _said(result: Result) -> str:
    text = f"{result.subject}: {result.reason}" + (f" ({result.when})" if result.when else "")
    return f"{text}. Fix: {result.fix}" if result.fix else text


def _artifact(file: str) -> dict[str, str]:
    """Return a file from the working folder, which is the repository's; one outside of it by its whole address."""
    path = Path(file)
    inside = os.path.relpath(path).replace(os.sep, "/")
    if inside.startswith("../"):
        return {"uri": path.resolve().as_uri()}
    return {"uri": quote(inside), "uriBaseId": "%SRCROOT%"}
