"""What is declared beside what is planned for it and what of it was observed: three columns, one promise a row."""

from __future__ import annotations

from mlstrata.evidence.blocks import Status, Table, plain, table
from mlstrata.evidence.facts import Evidence, Finding
from mlstrata.evidence.language import heads, number, say

PROMISES = (
    ("to be overseen by a named person", "oversight.owner", "aia-oversight-owner"),
    ("to be stopped at once by that person", "oversight.kill_switch", "aia-kill-switch"),
    ("two people to confirm each identification", "oversight.two_person", "aia-two-person-verify"),
    ("to have each prediction recorded", "serving.mode", "aia-request-logging"),
    ("to explain each decision", "serving.explain", "aia-right-to-explanation"),
    ("to tell people that they deal with AI", "risk.disclosure", "aia-interaction-disclosure"),
    ("to watch for drift, with an alert", "monitor.drift", "obs-drift-alert"),
    ("to keep differences between groups below a limit", "monitor.fairness", "data-bias-report-fresh"),
    ("to release only what passes its gates", "kpis", "life-promotion-gate"),
    ("to have a version to go back to", "rollout.rollback", "life-rollback-target"),
    ("to keep logs and predictions for six months", "", "aia-log-retention-6m"),
    ("to keep documents for ten years", "", "aia-docs-retention-10y"),
)
"""What is promised, where the environment's file declares it (none: for the whole of it), and the policy on it."""
_WORST = ("fail", "unknown", "exempt", "pass", "not applicable")


def promises(evidence: Evidence) -> Table:
    """Return the table; what nobody declares and no policy asks for has no row."""
    rows = []
    kept = {name: say("{days} days", days=number(days)) for name, days in sorted(evidence.retention.items())}
    for words, path, policy in PROMISES:
        declared = evidence.get(path) if path else kept or None
        planned, observed = (_outcome(evidence.findings, policy, observed=seen) for seen in (False, True))
        if declared not in (None, False, (), [], {}) or planned or observed:
            rows.append((say(words), declared, planned or "-", observed or say("not observed")))
    headings = heads("promise", "declared", "planned", "observed")
    caption = say("Each promise, as declared, as planned (`mlstrata check`), and as observed on the running platform.")
    return table(headings, rows, Status.NOTE, caption, (0.26, 0.2, 0.31, 0.23))


def _outcome(findings: tuple[Finding, ...] | None, policy: str, *, observed: bool) -> str:
    found = [one for one in findings or () if one.policy == policy and one.observed is observed]
    ranked = sorted(found, key=lambda one: _WORST.index(one.outcome) if one.outcome in _WORST else 0)
    return (
        plain(f"{say(ranked[0].outcome)}: {ranked[0].reason}")
        if ranked and ranked[0].outcome != "not applicable"
        else ""
    )
