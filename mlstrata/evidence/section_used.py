"""Sections 3 to 9 of Annex IV: how the system works in use, its risks, and what follows."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.evidence import words
from mlstrata.evidence.blocks import Block, Heading, Needed, Text, facts, table
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.section_made import policies
from mlstrata.evidence.section_parts import DECLARED, by_group, decisions, document, measured_metrics, retention, said

_WATCHING = (
    ("recording", "Every prediction is recorded with its inputs and joined with what happened"),
    ("monitoring", "Drift, outliers and accuracy of what is recorded are measured, with alerts"),
    ("fairness", "Fairness by group is measured on what is recorded"),
    ("alerts", "Alerts on latency, errors and availability"),
    ("explanation", "Each prediction is explained"),
    ("fallback", "A person decides where the model is unsure"),
)


def monitoring(evidence: Evidence) -> Iterator[Block]:
    """Yield section 3."""
    yield Heading("Capabilities and limits, accuracy for people and groups")
    limits = evidence.get("constraints")
    if limits:
        limited = [(index, one) for index, one in enumerate(limits, start=1)]
        yield table(("#", "limit"), limited, f"Declared limits. {DECLARED}", (0.06, 0.94))
    else:
        yield Needed("the system's limits: `constraints` in the environment's file")
    version = evidence.version
    if version is None or not version.metrics:
        yield Needed("measured metrics", human=False)
    else:
        yield said("Overall accuracy and accuracy by group, with plots: section 2(g).")
    yield Heading("Foreseeable unintended outcomes and sources of risk")
    yield Needed("foreseeable unintended outcomes, and risks to health, safety, rights and of discrimination")
    yield Heading("Human oversight in use")
    yield facts(words.rows(evidence.get("oversight")), f"Oversight. {DECLARED}")
    yield Needed("what a person must know and do to interpret the output, and to overrule or stop it")
    yield Heading("Input data")
    inputs = words.ranges(evidence)
    yield facts(inputs or [("Ranges", None)], f"Values that are allowed. {DECLARED}")
    yield Heading("Monitoring, logs and control")
    rows = [(text, name in evidence.capabilities) for name, text in _WATCHING]
    yield table(("what the platform does", "here"), rows, f"Stage {evidence.stage}. {DECLARED}", (0.85, 0.15))
    yield facts(words.rows(evidence.get("monitor"), skip=("range",)), f"Declared limits of monitoring. {DECLARED}")
    yield retention(evidence)
    if evidence.parts is None:
        yield Needed("the planned resources", human=False)
    if evidence.findings is None:
        yield Needed("what the policies find", human=False)
    else:
        rows_of = [(one.policy, one.title, one.outcome, one.reason) for one in evidence.findings
                   if one.outcome != "not applicable" and not one.policy.startswith("sec-")]  # fmt: skip
        silent = len(evidence.findings) - len(rows_of)
        yield policies(rows_of, "Policies on the planned resources. Source: `mlstrata check`")
        yield said(f"{silent} findings are of policies that do not apply here, or are about security: see 2(h).")


def metrics(evidence: Evidence) -> Iterator[Block]:
    """Yield section 4."""
    kpis = evidence.get("kpis")
    if kpis:
        rows = [words.kpi(one) for one in kpis] if isinstance(kpis, list | tuple) else [words.kpi(kpis)]
        caption = f"What the system must achieve, else no version is registered. {DECLARED}"
        yield table(("metric", "limit", "measured on"), rows, caption)
    else:
        yield Needed("what the system must achieve: `kpis` in the environment's file")
    yield from measured_metrics(evidence)
    yield Needed("why these metrics are appropriate for the purpose")


def risk(evidence: Evidence) -> Iterator[Block]:
    """Yield section 5."""
    yield facts(words.risk(evidence), f"Classification. {DECLARED}")
    yield from document(evidence, "risk_register", "Risk management file (Art. 9)")
    yield from document(evidence, "fria", "Fundamental rights impact assessment (Art. 27)")
    yield from by_group(evidence)
    yield Needed("the risks that remain and why they are acceptable")


def changes(evidence: Evidence) -> Iterator[Block]:
    """Yield section 6."""
    if evidence.decisions is None:
        yield Needed("the audit log", human=False)
    else:
        yield decisions(evidence)
        if evidence.log_whole:
            yield Text("The chain of hashes of the audit log is intact: no entry was changed, removed or moved.")
        elif evidence.log_whole is False:
            yield Needed("an intact audit log: its chain of hashes is broken", human=False)
    retire = words.rows(evidence.get("retire"))
    yield facts(retire or [("Review or retirement", None)], f"End of use. {DECLARED}")
    yield Needed("how a substantial modification is recognised, and what then happens")


def standards(_evidence: Evidence) -> Iterator[Block]:
    """Yield section 7."""
    yield Needed("harmonised standards applied in full or in part, or the solutions adopted instead")


def declaration(evidence: Evidence) -> Iterator[Block]:
    """Yield section 8."""
    yield from document(evidence, "declaration", "EU declaration of conformity (Art. 47)")
    yield from document(evidence, "conformity", "Conformity assessment (Art. 43)")


def afterwards(evidence: Evidence) -> Iterator[Block]:
    """Yield section 9."""
    yield from document(evidence, "monitoring_plan", "Post-market monitoring plan (Art. 72)")
    yield from document(evidence, "incident_runbook", "What to do on a serious incident (Art. 73)")
    days = [("Any serious incident", "15 days"), ("A death", "10 days"),
            ("Widespread, or of critical infrastructure", "2 days")]  # fmt: skip
    yield table(("serious incident", "report at the latest after"), days, "Clocks of Article 73")
