"""What a person reads: one line that says what, where and until when; why and how to mend it below."""

from __future__ import annotations

from collections import Counter

from mlstrata.policies.core.evaluate import Report, Result
from mlstrata.policies.core.rule import NEEDS_LIVE, Outcome
from mlstrata.policies.frameworks import line as framework_line
from mlstrata.policies.reports.places import Places

MOST = 10
"""Findings of one policy that are shown; the rest is counted."""


def render(reports: list[tuple[Report, Places]], *, full: bool = False) -> str:
    """Return the reports as text, one after the other; of each policy the ten worst findings, or all of them."""
    return "\n".join(_one(report, places, full=full) for report, places in reports)


def status(result: Result) -> str:
    """Return the word in front of a result: FAIL, WARN (an exempt one too), UNKN or nothing."""
    if result.outcome is Outcome.FAIL:
        return "FAIL" if result.blocking else "WARN"
    return {Outcome.EXEMPT: "WARN", Outcome.UNKNOWN: "UNKN"}.get(result.outcome, "")


def summary(report: Report) -> str:
    """Return the counts in one line."""
    worst = report.worst
    blocked = {result.rule.id for result in report.results if result.blocking}
    counts = {
        "pass": sum(outcome is Outcome.PASS for outcome in worst.values()),
        "fail": len(blocked),
        "warn": sum(outcome is Outcome.FAIL for name, outcome in worst.items() if name not in blocked),
        "exempt": sum(outcome is Outcome.EXEMPT for outcome in worst.values()),
        "unknown": sum(outcome is Outcome.UNKNOWN for outcome in worst.values()),
        "not applicable": sum(outcome is Outcome.NOT_APPLICABLE for outcome in worst.values()),
        "charts and bundles not inspected": len(report.not_inspected),
        "objects of unknown kinds not inspected": len(report.unread),
    }
    return " · ".join(f"{count} {word}" for word, count in counts.items() if count or word in {"pass", "fail"})


def heading(report: Report) -> str:
    """Return what was checked, in one line."""
    tiers: dict[str, int] = {}
    for _, tier in report.systems:
        tiers[tier] = tiers.get(tier, 0) + 1
    systems = [f"{count} system{'s' * (count > 1)} at {tier} risk" for tier, count in tiers.items()]
    policies = len({result.rule.id for result in report.results})
    day = f"as of {report.calendar.as_of}" if report.calendar.as_of != report.calendar.today else ""
    asked = "asked live" if report.environment.live is not None else ""
    parts = [report.environment.name, f"{report.resources} resources", f"{policies} policies", *systems, day, asked]
    return " · ".join(part for part in parts if part)


def refusal(report: Report, places: Places) -> str:
    """Return only what stops a deployment: each violation with its place, reason and fix."""
    lines = [line for result in report.results if result.blocking for line in _lines(result, places)]
    return "\n".join([*lines, *(f" FAIL {error}" for error in report.errors)])


def _one(report: Report, places: Places, *, full: bool) -> str:
    lines = [f" {heading(report)}"]
    order = {"FAIL": 0, "WARN": 1, "UNKN": 2}
    shown = [result for result in report.results if status(result)]
    quiet = [result for result in shown if result.reason.startswith(NEEDS_LIVE)]
    told: Counter[str] = Counter()
    seen: set[str] = set()
    for result in sorted((r for r in shown if r not in quiet), key=lambda r: order[status(r)]):
        said = [one for one in _lines(result, places) if result.exemption is None or one not in seen]
        seen.update(said)
        told[result.rule.id] += bool(said)
        if full or told[result.rule.id] <= MOST:
            lines += said
    left_out = {rule: count - MOST for rule, count in told.items() if count > MOST and not full}
    lines += [f" MORE {rule:<28} {count} more findings; --full shows them" for rule, count in left_out.items()]
    if quiet:
        lines.append(
            f" LIVE {', '.join(sorted({result.rule.id for result in quiet}))}: only the running platform knows"
        )
    lines += [f" FAIL {error}" for error in report.errors]
    lines += [f" WARN {warning}" for warning in report.warnings]
    lines += [f" {framework_line(pack, report.worst)}" for pack in report.frameworks]
    lines.append(f" {summary(report)}")
    return "\n".join(lines) + "\n"


def _lines(result: Result, places: Places) -> list[str]:
    head = f" {status(result)} {result.rule.id:<28} {result.subject:<20}"
    if result.exemption is not None:
        entry = result.exemption
        return [f"{head} exempt until {entry.expires} ({entry.ticket}, approved by {entry.approver})"]
    when = f" ({result.when})" if result.when else ""
    lines = [f"{head} {places.of(result)}".rstrip(), f"      {result.reason}{when}"]
    return [*lines, f"      fix: {result.fix}"] if result.fix else lines
