"""Drafts of what else the Act and the GDPR ask to be written: declaration, monitoring plan, incident report, DPIA."""

from __future__ import annotations

from collections.abc import Mapping

from mlstrata.evidence import words
from mlstrata.evidence.blocks import Block, Document, Section, Status, facts, plain, table
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.language import heads, say
from mlstrata.evidence.promises import promises
from mlstrata.evidence.section_parts import DECLARED, asked, by_group, note, retention, wanted
from mlstrata.evidence.section_used import clocks
from mlstrata.evidence.templates import drafted, known

OPEN = "................................"


def declaration(evidence: Evidence) -> Document:
    """Return a draft of the EU declaration of conformity (Art. 47, Annex V)."""
    version = evidence.version
    rows = [(say("Name and type"), evidence.name), (say("Purpose"), evidence.get("purpose"))]
    made: tuple[Block, ...] = (
        (
            facts(
                [(say("Model version"), version.version), (say("Run"), version.run)],
                Status.OBSERVED,
                say("Which one. The registry"),
            ),
        )
        if version
        else ()
    )
    sole = say(
        "The declaration is issued under the sole responsibility of the provider (Annex V 3); who signs says so."
    )
    personal = any(isinstance(one, Mapping) and one.get("personal") for one in _datasets(evidence))
    privacy = say("Personal data are processed, so it states compliance with Regulation (EU) 2016/679 (Annex V 5).")
    sections = (
        Section(say("1. The system"), (facts(rows, Status.DECLARED, say(DECLARED)), *made)),
        Section(say("2. Provider"), (*asked(evidence, "provider.identity"), note(sole))),
        Section(
            say("3. Conformity"), (*asked(evidence, "declaration.2.laws"), *((note(privacy),) if personal else ()))
        ),
        Section(say("4. Standards"), tuple(asked(evidence, "annex-iv.7.standards"))),
        Section(say("5. Notified body"), tuple(asked(evidence, "declaration.1.body"))),
        Section(say("6. Signature"), tuple(asked(evidence, "declaration.3.signature"))),
    )
    title = say("EU declaration of conformity (AI Act, Annex V), draft: {name}", name=plain(evidence.name))
    return drafted("declaration-of-conformity", title, evidence, sections)


def monitoring_plan(evidence: Evidence) -> Document:
    """Return a draft of the post-market monitoring plan (Art. 72)."""
    kpis = evidence.get("kpis")
    limits = [words.kpi(one) for one in kpis] if isinstance(kpis, list | tuple) else []
    watched = words.rows(evidence.get("monitor"), skip=("range",))
    headings = heads("metric", "limit", "to be measured on")
    sections = (
        Section(say("1. What is collected"), (retention(evidence), *asked(evidence, "monitoring.1.sources"))),
        Section(say("2. What is measured"), (
            table(headings, limits, Status.DECLARED, wanted("Performance.")),
            facts(watched or [(say("Limits"), None)], Status.DECLARED, wanted("Drift and fairness.")),
            promises(evidence))),
        Section(say("3. Who acts, and when"), (
            *known(evidence, "oversight", "documents.incident_runbook"), *asked(evidence, "monitoring.2.thresholds"),
            table(heads("serious incident", "report at the latest after"), clocks(), Status.NOTE,
                  say("Clocks of Article 73")))),
        Section(say("4. Review"), (*known(evidence, "retire"), *asked(evidence, "monitoring.3.review"))),
    )  # fmt: skip
    title = say("Post-market monitoring plan (AI Act, Art. 72), draft: {name}", name=plain(evidence.name))
    return drafted("monitoring-plan", title, evidence, sections)


def incident_report(evidence: Evidence) -> Document:
    """Return a form for the report of a serious incident (Art. 73); it is filled in when there is one."""
    version = evidence.version
    rows = [(say("System"), evidence.name), (say("Purpose"), evidence.get("purpose")), *words.risk(evidence)[:2]]
    running = (
        say("Model version that answers"),
        version.version if version and version.released else say("none is released"),
    )
    asks = (
        (say("When it happened, and when it was found out"), say("Art. 73(2)")),
        (say("Kind: death, harm to health, infrastructure, rights, property or environment"), say("Art. 3(49)")),
        (say("What happened, to whom, how many"), ""),
        (say("Causal link with the system: shown, likely, or excluded"), say("Art. 73(2)")),
        (say("Request ids of the predictions, from the recorder"), say("Art. 12")),
        (say("What was stopped or rolled back, when and by whom"), say("Art. 20")),
        (say("Risk assessment and corrective action"), say("Art. 73(6)")),
        (say("Provider, deployers and authorities that were told, each with the day"), say("Art. 26(5), 73(1)")),
        (say("Name, role, date and signature of who reports"), ""),
    )
    form = table(heads("to be filled in", "asked by", "answer"), [(what, of or "-", OPEN) for what, of in asks],
                 Status.NOTE, say("The report. An incomplete first report may be completed later (Art. 73(5))."),
                 (0.42, 0.14, 0.44))  # fmt: skip
    latest = table(
        heads("serious incident", "report at the latest after"), clocks(), Status.NOTE, say("Clocks of Article 73")
    )
    about = (facts(rows, Status.DECLARED, say(DECLARED)), facts([running], Status.OBSERVED, say("The registry")))
    title = say("Report of a serious incident (AI Act, Art. 73), form: {name}", name=plain(evidence.name))
    sections = (
        Section(say("1. The system"), about),
        Section(say("2. By when"), (latest,)),
        Section(say("3. The incident"), (form,)),
    )
    return drafted("incident-report", title, evidence, sections)


def dpia(evidence: Evidence) -> Document:
    """Return a draft of the data protection impact assessment (GDPR Art. 35)."""
    groups = tuple(by_group(evidence)) if evidence.version else ()
    sections = (
        Section(say("1. Processing and purposes"), (
            *known(evidence, "purpose", "data", "model.protected", "risk.profiling", "risk.affects"),
            *asked(evidence, "dpia.1.processing"))),
        Section(say("2. Necessity and proportionality"), tuple(asked(evidence, "dpia.2.necessity"))),
        Section(say("3. Risks to persons"), (*groups, *asked(evidence, "dpia.3.risks"))),
        Section(say("4. Measures"), (retention(evidence), promises(evidence), *asked(evidence, "dpia.4.measures"))),
        Section(say("5. Advice and views"), tuple(asked(evidence, "dpia.5.advice"))),
    )  # fmt: skip
    title = say("Data protection impact assessment (GDPR Art. 35), draft: {name}", name=plain(evidence.name))
    return drafted("dpia", title, evidence, sections)


def needs_dpia(evidence: Evidence) -> bool:
    """Return whether a DPIA is asked: personal data with profiling, special categories or high risk (Art. 35(3))."""
    held = [one for one in _datasets(evidence) if isinstance(one, Mapping)]
    personal = any(one.get("personal") or one.get("classification") == "personal" for one in held)
    special = any(one.get("special_categories") or one.get("special_fields") for one in held)
    return special or (personal and bool(evidence.get("risk.profiling") or evidence.get("risk.tier") == "high"))


def _datasets(evidence: Evidence) -> list[object]:
    data = evidence.get("data")
    return list(data) if isinstance(data, list | tuple) else []
