"""Sections 3 to 9 of Annex IV: how the system works in use, its risks, and what follows."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.evidence import words
from mlstrata.evidence.blocks import Block, Heading, Needed, Status, Text, facts, table
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.language import heads, say
from mlstrata.evidence.promises import promises
from mlstrata.evidence.section_parts import (
    DECLARED,
    asked,
    by_group,
    decisions,
    document,
    findings,
    measured_metrics,
    note,
    retention,
    wanted,
)

_WATCHING = (
    ("recording", "to record every prediction with its inputs, and join it with what happened"),
    ("monitoring", "to measure drift, outliers and accuracy on those records, with alerts"),
    ("fairness", "to measure fairness by group on those records"),
    ("alerts", "to alert on latency, errors and availability"),
    ("explanation", "to explain each prediction"),
    ("fallback", "to have a person decide where the model is unsure"),
)

CLOCKS = (
    ("Any serious incident", "15 days"),
    ("A death", "10 days"),
    ("Widespread, or of critical infrastructure", "2 days"),
)
"""Kind of a serious incident to the longest time until it is reported (Art. 73(2) to (4))."""


def clocks() -> tuple[tuple[str, str], ...]:
    """Return the clocks of Article 73 in the language that is spoken."""
    return tuple((say(kind), say(time)) for kind, time in CLOCKS)


def monitoring(evidence: Evidence) -> Iterator[Block]:
    """Yield section 3."""
    yield Heading(say("Capabilities and limits, accuracy for people and groups"))
    limits = evidence.get("constraints")
    if limits:
        limited = [(index, one) for index, one in enumerate(limits, start=1)]
        yield table(
            heads("#", "limit"),
            limited,
            Status.DECLARED,
            wanted("Declared limits."),
            (0.06, 0.94),
        )
    else:
        yield Needed(say("the system's limits: `constraints` in the environment's file"))
    version = evidence.version
    if version is None or not version.metrics:
        yield Needed(say("measured metrics"), human=False)
    else:
        yield note(say("Overall accuracy and accuracy by group, with plots: section 2(g)."))
    yield Heading(say("Foreseeable unintended outcomes and sources of risk"))
    yield from asked(evidence, "annex-iv.3.outcomes", "annex-iv.3.groups")
    yield Heading(say("Human oversight in use"))
    yield facts(words.rows(evidence.get("oversight")), Status.DECLARED, wanted("Oversight."))
    yield from asked(evidence, "annex-iv.3.oversight")
    yield Heading(say("Input data"))
    inputs = words.ranges(evidence)
    yield facts(
        inputs or [(say("Ranges"), None)],
        Status.DECLARED,
        wanted("Values that are to be allowed."),
    )
    yield Heading(say("Monitoring, logs and control"))
    rows = [(say(text), name in evidence.capabilities) for name, text in _WATCHING]
    caption = say("What stage {stage} asks of the platform. {declared}", stage=evidence.stage, declared=say(DECLARED))
    yield table(heads("what the platform is", "asked for"), rows, Status.DECLARED, caption, (0.85, 0.15))
    watched = words.rows(evidence.get("monitor"), skip=("range",))
    yield facts(watched, Status.DECLARED, wanted("Limits that are to be monitored."))
    yield retention(evidence)
    yield promises(evidence)
    if evidence.parts is None:
        yield Needed(say("the planned resources"), human=False)
    if evidence.findings is None:
        yield Needed(say("what the policies find"), human=False)
    else:
        told = [one for one in evidence.findings
                if one.outcome != "not applicable" and not one.policy.startswith("sec-")]  # fmt: skip
        silent = len(evidence.findings) - len(told)
        yield from findings(told, say("Policies on the planned resources"))
        yield note(
            say(
                "{silent} findings are of policies that do not apply here, or are about security: see 2(h).",
                silent=silent,
            )
        )


def metrics(evidence: Evidence) -> Iterator[Block]:
    """Yield section 4."""
    kpis = evidence.get("kpis")
    if kpis:
        rows = [words.kpi(one) for one in kpis] if isinstance(kpis, list | tuple) else [words.kpi(kpis)]
        caption = wanted("What the system is to achieve, else no version is to be registered.")
        yield table(heads("metric", "limit", "to be measured on"), rows, Status.DECLARED, caption)
    else:
        yield Needed(say("what the system must achieve: `kpis` in the environment's file"))
    yield from measured_metrics(evidence)
    yield from asked(evidence, "annex-iv.4.metrics")


def risk(evidence: Evidence) -> Iterator[Block]:
    """Yield section 5."""
    yield facts(words.risk(evidence), Status.DECLARED, wanted("Classification."))
    yield from document(evidence, "risk_register", say("Risk management file (Art. 9)"))
    yield from by_group(evidence)
    yield from asked(evidence, "annex-iv.5.risks", "annex-iv.5.residual")


def changes(evidence: Evidence) -> Iterator[Block]:
    """Yield section 6."""
    if evidence.decisions is None:
        yield Needed(say("the audit log"), human=False)
    else:
        yield decisions(evidence)
        if evidence.log_whole:
            whole = say("The chain of hashes of the audit log is intact: no entry was changed, removed or moved.")
            yield Text(whole, Status.OBSERVED)
        elif evidence.log_whole is False:
            yield Needed(say("an intact audit log: its chain of hashes is broken"), human=False)
    retire = words.rows(evidence.get("retire"))
    yield facts(
        retire or [(say("Review or retirement"), None)],
        Status.DECLARED,
        wanted("End of use."),
    )
    yield from asked(evidence, "annex-iv.6.substantial")


def standards(evidence: Evidence) -> Iterator[Block]:
    """Yield section 7."""
    yield from asked(evidence, "annex-iv.7.standards")


def declaration(evidence: Evidence) -> Iterator[Block]:
    """Yield section 8."""
    yield from document(evidence, "declaration", say("EU declaration of conformity (Art. 47)"))
    yield from document(evidence, "conformity", say("Conformity assessment (Art. 43)"))


def afterwards(evidence: Evidence) -> Iterator[Block]:
    """Yield section 9."""
    yield from document(evidence, "monitoring_plan", say("Post-market monitoring plan (Art. 72)"))
    yield from document(evidence, "incident_runbook", say("What to do on a serious incident (Art. 73)"))
    yield table(
        heads("serious incident", "report at the latest after"), clocks(), Status.NOTE, say("Clocks of Article 73")
    )
