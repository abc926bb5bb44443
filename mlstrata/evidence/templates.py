"""Registration (Annex VIII), FRIA (Art. 27), instructions for use (Art. 13) and the log of decisions."""

from __future__ import annotations

from collections.abc import Mapping

from mlstrata.evidence import words
from mlstrata.evidence.annex_iv import control, where
from mlstrata.evidence.blocks import Block, Document, Heading, Needed, Section, Status, Text, facts, plain, table
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.figures import fairness, performance
from mlstrata.evidence.language import first_upper, heads, say
from mlstrata.evidence.promises import promises
from mlstrata.evidence.section_parts import (
    DECLARED,
    answers_for,
    asked,
    by_group,
    decisions,
    document,
    gates,
    measured_metrics,
    note,
    retention,
    wanted,
)
from mlstrata.policies.rules.ai_act.documents import INFRASTRUCTURE, OF_PUBLIC_BODIES

_STATES = ("member_states", "Member States", "registration.states")
_A = (
    ("provider", "Provider", "provider.identity"),
    ("submitter", "Submitted by", "registration.submitter"),
    ("authorised_representative", "Authorised representative", "registration.representative"),
    ("trade_name", "Trade name", ""),
    ("intended_purpose", "Intended purpose", ""),
    ("inputs_and_logic", "Inputs and logic", "annex-iv.2.b.design"),
    ("status", "Status", ""),
    ("certificate", "Certificate", "registration.certificate"),
    _STATES,
    ("declaration", "EU declaration of conformity", ""),
    ("instructions", "Instructions for use", ""),
    ("url", "More information", "registration.url"),
)
_B = (
    *_A[:5],
    ("condition", "Condition of Article 6(3)", ""),
    ("grounds", "Grounds", "registration.grounds"),
    ("status", "Status", ""),
    _STATES,
)
_C = (
    ("deployer", "Deployer", "registration.deployer"),
    ("submitter", "Submitted by", "registration.submitter"),
    ("entry_url", "Entry of the provider", ""),
    ("fria_summary", "Summary of the FRIA", "registration.fria"),
    ("dpia_summary", "Summary of the DPIA", "registration.dpia"),
)
_SECTIONS = {"A": _A, "B": _B, "C": _C}
"""Field, its name, and the question that fills it where nothing else does."""


def registered_in(evidence: Evidence) -> str:
    """Return the section of Annex VIII that an entry is made in; empty for who files none.

    B is for a system that a condition of Article 6(3) takes out, A for a provider's under Annex III, C for a deployer
    that is, or acts for, a public body (Art. 49). Products under Annex I alone are registered nowhere.
    """
    point = str(evidence.get("risk.annex_iii") or "none")
    public = bool(evidence.get("risk.public_body")) or point.startswith(OF_PUBLIC_BODIES)
    if evidence.get("risk.exemption"):
        return "B"
    if evidence.get("risk.tier") != "high" or point == "none":
        return ""
    if evidence.roles & {"provider", "authorised_representative"}:
        return "A"
    return "C" if "deployer" in evidence.roles and public and point != INFRASTRUCTURE else ""


def registration(evidence: Evidence) -> dict[str, object] | None:
    """Return the entry of Annex VIII; a field that is None is a person's to give. None for who files no entry."""
    section = registered_in(evidence)
    if not section:
        return None
    version, model = evidence.version, evidence.get("model")
    in_use = bool(version and version.released)
    settled: dict[str, object] = {
        "trade_name": evidence.name,
        "intended_purpose": evidence.get("purpose"),
        "inputs_and_logic": plain(
            {key: model[key] for key in ("modality", "task", "algorithm", "data") if key in model}
        )
        if isinstance(model, Mapping)
        else None,
        "condition": plain(evidence.get("risk.exemption")) if evidence.get("risk.exemption") else None,
        "status": say(
            "in service: model version {version} answers in {environment}",
            version=version.version,
            environment=evidence.environment,
        )
        if version and in_use
        else say("not yet placed on the market or put into service"),
        **{
            field: _path(evidence, name)
            for field, name in (
                ("declaration", "declaration"),
                ("instructions", "instructions"),
                ("entry_url", "registration"),
            )
        },
    }
    fields = {}
    for name, _, question in _SECTIONS[section]:
        answer = evidence.answers.get(question)
        answered = plain(answer.text) if answer and not answer.faults else None
        fields[name] = settled.get(name) if settled.get(name) is not None else answered
    missing = [name for name, value in fields.items() if value is None]
    return {
        "annex": "VIII",
        "section": section,
        "system": evidence.name,
        "environment": evidence.environment,
        "as_of": evidence.day.isoformat() if evidence.day else None,
        "complete": not missing,
        "missing": missing,
        "fields": fields,
    }


def registration_document(evidence: Evidence) -> Document:
    """Return the same for people."""
    entry = registration(evidence)
    assert entry is not None  # noqa: S101 - it is asked only of who files one
    section, fields = str(entry["section"]), entry["fields"]
    assert isinstance(fields, dict)  # noqa: S101 - made above
    blocks: list[Block] = [note(say("The same as data, for the EU database: registration.json."))]
    known = [
        (say(title), fields[name]) for name, title, question in _SECTIONS[section] if not question and fields[name]
    ]
    blocks.append(
        facts(known, Status.DECLARED, say("What is known. {declared}, and the registry", declared=say(DECLARED)))
    )
    for name, title, question in _SECTIONS[section]:
        if question and name != "inputs_and_logic":
            blocks += [Heading(say(title)), *asked(evidence, question)]
        elif not fields[name]:
            named = "registration" if name == "entry_url" else name
            blocks += [Heading(say(title)), *document(evidence, named, say(title))]
        elif question:
            blocks.append(facts([(say(title), fields[name])], Status.DECLARED, say(DECLARED)))
    title = say(
        "Registration (AI Act, Annex VIII, section {section}): {name}", section=section, name=plain(evidence.name)
    )
    return drafted("registration", title, evidence, (Section(say("Entry"), tuple(blocks)),))


def fria(evidence: Evidence) -> Document:
    """Return a draft of the fundamental rights impact assessment, with what is declared and measured."""
    groups = (*by_group(evidence), *fairness(evidence)) if evidence.version else ()
    parts = (
        (say("1. Processes it is used in"), "fria.1.processes", known(evidence, "purpose")),
        (say("2. Period and frequency"), "fria.2.period",
         known(evidence, "serving.mode", "serving.consumers", "retire")),
        (say("3. Persons and groups"), "fria.3.persons",
         (*known(evidence, "risk.affects", "model.protected", "data"), *groups)),
        (say("4. Specific risks of harm"), "fria.4.harm", known(evidence, "constraints")),
        (say("5. Human oversight"), "fria.5.oversight", (*known(evidence, "oversight"), promises(evidence))),
        (say("6. Measures if risks materialise"), "fria.6.measures", known(evidence, "documents.incident_runbook")),
        (say("7. Notification"), "fria.7.notified", ()),
        (say("8. Data protection"), "fria.8.dpia", known(evidence, "documents.dpia")),
    )  # fmt: skip
    own = tuple(document(evidence, "fria", say("The system's own"))) if evidence.document("fria") else ()
    about = facts(words.risk(evidence), Status.DECLARED, wanted("Classification."))
    sections = tuple(Section(title, (*told, *asked(evidence, question))) for title, question, told in parts)
    title = say("Fundamental rights impact assessment (AI Act, Art. 27), draft: {name}", name=plain(evidence.name))
    return drafted("fria", title, evidence, (Section(say("About"), (*own, about)), *sections))


def instructions(evidence: Evidence) -> Document:
    """Return a draft of the instructions for use, with declared metrics, limits and the groups' fairness."""
    kpis = evidence.get("kpis")
    limits = [words.kpi(one)[:2] for one in kpis] if isinstance(kpis, list | tuple) else []
    caption = wanted("What it is to achieve.")
    declared = (table(heads("metric", "limit"), limits, Status.DECLARED, caption),) if limits else ()
    measured = (*measured_metrics(evidence), *performance(evidence))
    sections = (
        Section(say("1. Provider"), tuple(asked(evidence, "provider.identity"))),
        Section(say("2. Purpose and limits"), known(evidence, "purpose", "constraints", "serving.limits")),
        Section(say("3. Accuracy, robustness and security"),
                (*declared, *measured, *asked(evidence, "instructions.security"))),
        Section(say("4. Groups of people"), (*by_group(evidence), *fairness(evidence)) if evidence.version else ()),
        Section(say("5. Input data"), (*_inputs(evidence), *known(evidence, "model.exclude", "model.protected"))),
        Section(say("6. Foreseeable misuse"), tuple(asked(evidence, "instructions.misuse"))),
        Section(say("7. Human oversight"), (*known(evidence, "oversight"), promises(evidence),
                                       *asked(evidence, "annex-iv.3.oversight", "instructions.explanation"))),
        Section(say("8. Changes, resources and maintenance"),
                (*known(evidence, "serving.resources", "serving.sla", "retire"),
                 *asked(evidence, "instructions.changes", "instructions.maintenance"))),
        Section(say("9. Logs"), (retention(evidence), *asked(evidence, "instructions.logs"))),
    )  # fmt: skip
    title = say("Instructions for use (AI Act, Art. 13), draft: {name}", name=plain(evidence.name))
    return drafted("instructions-for-use", title, evidence, sections)


def decision_log(evidence: Evidence) -> Document:
    """Return the log of gates, releases and rollbacks."""
    outcome: tuple[Block, ...] = (Needed(say("reports of the training's gates"), human=False),)
    if evidence.version and evidence.version.gates is not None:
        outcome = (gates(evidence.version),)
    log: tuple[Block, ...] = (Needed(say("the audit log"), human=False),)
    if evidence.decisions is not None:
        broken = Needed(say("an intact audit log: its chain of hashes is broken"), human=False)
        intact = say("The chain of hashes of the audit log is intact: no entry was changed, removed or moved.")
        whole = Text(intact, Status.OBSERVED)
        chain: tuple[Block, ...] = () if evidence.log_whole is None else (whole if evidence.log_whole else broken,)
        log = (decisions(evidence), *chain)
    sections = (Section(say("Gates of the version"), outcome), Section(say("Releases and rollbacks"), log))
    return drafted("decisions", say("Decisions about {name}", name=plain(evidence.name)), evidence, sections)


def drafted(name: str, title: str, evidence: Evidence, sections: tuple[Section, ...]) -> Document:
    """Return a document of the dossier."""
    return Document(name, title, where(evidence), sections, control(evidence))


def known(evidence: Evidence, *paths: str) -> tuple[Block, ...]:
    """Return a table of what is declared at some paths; that nothing is where nothing is."""
    rows: list[tuple[str, object]] = []
    for path in paths:
        value, name = evidence.get(path), words.label(path.rpartition(".")[2])
        if isinstance(value, Mapping):
            rows += words.rows(value, first_upper(name))
        elif value not in (None, "", (), []):
            rows.append((first_upper(name), [_called(one) for one in value] if path == "data" else value))
    return (
        (facts(rows, Status.DECLARED, say(DECLARED)),)
        if rows
        else (Text(say("Nothing is declared."), Status.DECLARED),)
    )


def _inputs(evidence: Evidence) -> tuple[Block, ...]:
    ranges = words.ranges(evidence)
    caption = wanted("Values that are to be allowed.")
    return (facts(ranges, Status.DECLARED, caption),) if ranges else ()


def _called(dataset: object) -> object:
    kept = ("name", "classification", "personal", "special_categories")
    return {key: dataset[key] for key in kept if dataset.get(key)} if isinstance(dataset, Mapping) else dataset


def _path(evidence: Evidence, name: str) -> str | None:
    found = evidence.document(name)
    return found.path if found and answers_for(evidence, name) else None
