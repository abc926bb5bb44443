"""What else a person completes: registration (Annex VIII), FRIA (Art. 27), instructions for use (Art. 13)."""

from __future__ import annotations

from collections.abc import Mapping

from mlstrata.environments.classification import roles_of
from mlstrata.evidence import words
from mlstrata.evidence.annex_iv import control, where
from mlstrata.evidence.blocks import Block, Document, Needed, Section, Text, facts, plain, table
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.figures import fairness, performance
from mlstrata.evidence.section_parts import DECLARED, by_group, decisions, gates, measured_metrics, retention

_A = (
    ("provider", "Provider", "name, address and contact of the provider"),
    ("submitter", "Submitted by", "who submits on the provider's behalf, or none"),
    ("authorised_representative", "Authorised representative", "the authorised representative, or none"),
    ("trade_name", "Trade name", ""),
    ("intended_purpose", "Intended purpose", ""),
    ("inputs_and_logic", "Inputs and logic", "what it takes and how it comes to its result"),
    ("status", "Status", ""),
    ("certificate", "Certificate", "type, number and end of the certificate, or none"),
    ("member_states", "Member States", "where it is placed on the market, put into service or made available"),
    ("declaration", "EU declaration of conformity", "a copy of it"),
    ("instructions", "Instructions for use", "electronic instructions for use"),
    ("url", "More information", "an address, or none"),
)
_B = (
    *_A[:5],
    ("condition", "Condition of Article 6(3)", ""),
    ("grounds", "Grounds", "a summary of why it is not high-risk under that condition"),
    ("status", "Status", ""),
    ("member_states", "Member States", "where it is placed on the market, put into service or made available"),
)
_C = (
    ("deployer", "Deployer", "name, address and contact of the deployer"),
    ("submitter", "Submitted by", "who submits on the deployer's behalf"),
    ("entry_url", "Entry of the provider", "address of the provider's entry in the EU database"),
    ("fria_summary", "Summary of the FRIA", "findings of the fundamental rights impact assessment"),
    ("dpia_summary", "Summary of the DPIA", "of the data protection impact assessment, or why none is needed"),
)
_SECTIONS = {"A": _A, "B": _B, "C": _C}


def _roles(evidence: Evidence) -> frozenset[str]:
    risk, model = evidence.get("risk"), evidence.get("model")
    return roles_of(risk if isinstance(risk, Mapping) else {}, model if isinstance(model, Mapping) else {})


def registration(evidence: Evidence) -> dict[str, object]:
    """Return the entry of Annex VIII; a field that is None is a person's to give.

    Section C is a deployer's; B is for a system that a condition of Article 6(3) takes out; A for every other.
    """
    section = "B" if evidence.get("risk.exemption") else "A" if "provider" in _roles(evidence) else "C"
    version = evidence.version
    released = f"model version {version.version} answers" if version and version.released else "no version is released"
    model = evidence.get("model")
    settled: dict[str, object] = {
        "trade_name": evidence.name,
        "intended_purpose": evidence.get("purpose"),
        "inputs_and_logic": plain(
            {key: model[key] for key in ("modality", "task", "algorithm", "data") if key in model}
        )
        if isinstance(model, Mapping)
        else None,
        "condition": plain(evidence.get("risk.exemption")) if evidence.get("risk.exemption") else None,
        "status": f"{evidence.environment}: {released}",
        "declaration": _path(evidence, "declaration"),
        "instructions": _path(evidence, "instructions"),
        "entry_url": _path(evidence, "registration"),
    }
    fields = {name: settled.get(name) for name, _, _ in _SECTIONS[section]}
    missing = [name for name, value in fields.items() if value is None]
    return {
        "annex": "VIII",
        "section": section,
        "system": evidence.name,
        "environment": evidence.environment,
        "as_of": evidence.day.isoformat() if evidence.day else None,
        "complete": not missing or _path(evidence, "registration") is not None,
        "missing": missing,
        "fields": fields,
    }


def registration_document(evidence: Evidence) -> Document:
    """Return the same for people."""
    entry = registration(evidence)
    section = str(entry["section"])
    fields = entry["fields"]
    assert isinstance(fields, dict)  # noqa: S101 - made three lines above
    rows = [(said, fields[name]) for name, said, _ in _SECTIONS[section] if fields[name] is not None]
    needs = [
        need
        for name, said, asked in _SECTIONS[section]
        if fields[name] is None
        for need in _needed(evidence, "registration", f"{said}: {asked}")
    ]
    known = (facts(rows, f"What is known. {DECLARED}, and the registry"),) if rows else ()
    title = f"Registration (AI Act, Annex VIII, section {section}): {plain(evidence.name)}"
    note = Text("The same as data, for the EU database: registration.json.", note=True)
    return _document("registration", title, evidence, (Section("Entry", (note, *known, *needs)),))


def fria(evidence: Evidence) -> Document:
    """Return a template of the fundamental rights impact assessment, with what is declared and measured."""
    groups = (*by_group(evidence), *fairness(evidence)) if evidence.version else ()
    asked = (
        ("1. Processes it is used in", "in which processes, in line with its purpose", _known(evidence, "purpose")),
        ("2. Period and frequency", "for how long and how often it is used",
         _known(evidence, "serving.mode", "serving.consumers", "retire")),
        ("3. Persons and groups", "who is likely to be affected",
         (*_known(evidence, "model.protected", "data"), *groups)),
        ("4. Specific risks of harm", "the harm to these persons, given the provider's information",
         _known(evidence, "constraints")),
        ("5. Human oversight", "how oversight is carried out in practice", _known(evidence, "oversight")),
        ("6. Measures if risks materialise", "governance, and how people complain",
         _known(evidence, "documents.incident_runbook")),
        ("7. Notification", "the day the market surveillance authority was notified", ()),
    )  # fmt: skip
    found = evidence.document("fria")
    note = (Text(f"The system names its own: {plain(found.path)}."),) if found else ()
    about = facts(words.risk(evidence), f"Classification. {DECLARED}")
    sections = tuple(Section(title, (*known, *_needed(evidence, "fria", what))) for title, what, known in asked)
    title = f"Fundamental rights impact assessment (AI Act, Art. 27), template: {plain(evidence.name)}"
    return _document("fria", title, evidence, (Section("About", (*note, about)), *sections))


def instructions(evidence: Evidence) -> Document:
    """Return a template of the instructions for use, with declared metrics, limits and the groups' fairness."""
    own = "instructions"
    kpis = evidence.get("kpis")
    limits = [words.kpi(one)[:2] for one in kpis] if isinstance(kpis, list | tuple) else []
    declared = (table(("metric", "limit"), limits, f"What it must achieve. {DECLARED}"),) if limits else ()
    measured = (*measured_metrics(evidence), *performance(evidence))
    sections = (
        Section("1. Provider", _needed(evidence, own, "identity and contact of the provider")),
        Section("2. Purpose and limits", _known(evidence, "purpose", "constraints", "serving.limits")),
        Section("3. Accuracy", (*declared, *measured)),
        Section("4. Groups of people", (*by_group(evidence), *fairness(evidence)) if evidence.version else ()),
        Section("5. Input data", (*_inputs(evidence), *_known(evidence, "model.exclude", "model.protected"))),
        Section("6. Foreseeable misuse", _needed(evidence, own, "known circumstances that may lead to risks")),
        Section(
            "7. Human oversight",
            (*_known(evidence, "oversight"), *_needed(evidence, own, "how a person interprets the output")),
        ),
        Section("8. Resources and maintenance", _known(evidence, "serving.resources", "serving.sla", "retire")),
        Section("9. Logs", (retention(evidence),)),
    )
    title = f"Instructions for use (AI Act, Art. 13), template: {plain(evidence.name)}"
    return _document("instructions-for-use", title, evidence, sections)


def decision_log(evidence: Evidence) -> Document:
    """Return the log of gates, releases and rollbacks."""
    outcome: tuple[Block, ...] = (Needed("reports of the training's gates", human=False),)
    if evidence.version and evidence.version.gates is not None:
        outcome = (gates(evidence.version),)
    log: tuple[Block, ...] = (Needed("the audit log", human=False),)
    if evidence.decisions is not None:
        broken = Needed("an intact audit log: its chain of hashes is broken", human=False)
        whole = Text("The chain of hashes of the audit log is intact: no entry was changed, removed or moved.")
        chain: tuple[Block, ...] = () if evidence.log_whole is None else (whole if evidence.log_whole else broken,)
        log = (decisions(evidence), *chain)
    sections = (Section("Gates of the version", outcome), Section("Releases and rollbacks", log))
    return _document("decisions", f"Decisions about {plain(evidence.name)}", evidence, sections)


def _document(name: str, title: str, evidence: Evidence, sections: tuple[Section, ...]) -> Document:
    return Document(name, title, where(evidence), sections, control(evidence))


def _known(evidence: Evidence, *paths: str) -> tuple[Block, ...]:
    """Return a table of what is declared at some paths; nothing where nothing is."""
    rows: list[tuple[str, object]] = []
    for path in paths:
        value, name = evidence.get(path), words.label(path.rpartition(".")[2])
        if isinstance(value, Mapping):
            rows += words.rows(value, name.capitalize())
        elif value not in (None, "", (), []):
            rows.append((name.capitalize(), [_called(one) for one in value] if path == "data" else value))
    return (facts(rows, DECLARED),) if rows else (Text("Nothing is declared.", note=True),)


def _inputs(evidence: Evidence) -> tuple[Block, ...]:
    ranges = words.ranges(evidence)
    return (facts(ranges, f"Values that are allowed. {DECLARED}"),) if ranges else ()


def _called(dataset: object) -> object:
    kept = ("name", "classification", "personal", "special_categories")
    return {key: dataset[key] for key in kept if dataset.get(key)} if isinstance(dataset, Mapping) else dataset


def _needed(evidence: Evidence, document: str, what: str) -> tuple[Block, ...]:
    """Return what a person must write, or where the system's own document has it."""
    path = _path(evidence, document)
    return (Needed(what),) if path is None else (Text(f"{what}: see {plain(path)}"),)


def _path(evidence: Evidence, name: str) -> str | None:
    found = evidence.document(name)
    return found.path if found and found.exists is not False else None
