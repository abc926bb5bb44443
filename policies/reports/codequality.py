"""GitLab's code quality report: an issue a violation, shown beside the lines of a merge request."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from mlstrata.policies.core.evaluate import Report, Result
from mlstrata.policies.core.rule import Outcome, Severity
from mlstrata.policies.reports.places import Places
from mlstrata.policies.reports.sarif import fingerprint

_SEVERITY = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
}


def render(reports: list[tuple[Report, Places]]) -> str:
    """Return one JSON array of issues; what only warns is `info`, what is exempt is left out."""
    seen: Counter[str] = Counter()
    issues = [
        _issue(result, report, places) | {"fingerprint": fingerprint(result, report, seen)}
        for report, places in reports
        for result in report.results
        if result.outcome is Outcome.FAIL
    ]
    return json.dumps(issues, indent=2) + "\n"


def _issue(result: Result, report: Report, places: Places) -> dict[str, Any]:
    place = places.of(result)
    when = f" ({result.when})" if result.when else ""
    fix = f"; fix: {result.fix}" if result.fix else ""
    return {
        "description": f"{result.subject}: {result.reason}{when}{fix}",
        "check_name": result.rule.id,
        "severity": _SEVERITY[result.rule.severity] if result.blocking else "info",
        # GitLab wants a place for every issue: the first line stands for the whole file.
        "location": {"path": place.file or report.environment.name, "lines": {"begin": max(place.line, 1)}},
    }
