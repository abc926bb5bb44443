"""What else a person completes: registration (Annex VIII), FRIA (Art. 27), instructions for use (Art. 13)."""

from __future__ import annotations

from collections.abc import Mapping

from policies.evidence.blocks import Block, Document, Needed, Section, Text, plain, table
from policies.evidence.facts import Evidence
from policies.evidence.figures import figures

_A = (
    ("provider", "name, address and contact of the provider"),
    ("submitter", "who submits on the provider's behalf, or none"),
    ("authorised_representative", "the authorised representative, or none"),
    ("trade_name", ""),
    ("intended_purpose", ""),
    ("inputs_and_logic", ""),
    ("status", ""),
    ("certificate", "type, number and end of the certificate, or none"),
    ("member_states", "Member States where it is placed on the market or used"),
    ("declaration", "copy of the EU declaration of conformity"),
    ("instructions", "electronic instructions for use"),
    ("url", "an address for more information, or none"),
)
_C = (
    ("deployer", "name, address and contact of the deployer"),
    ("submitter", "who submits on the deployer's behalf"),
    ("entry_url", "address of the provider's entry in the EU database"),
    ("fria_summary", "summary of the fundamental rights impact assessment"),
    ("dpia_summary", "summary of the data protection impact assessment, or why none is needed"),
)


def registration(evidence: Evidence) -> dict[str, object]:
    """Return the entry of Annex VIII: section C for a deployer, A for every other role; None is a person's to give."""
    deployer = evidence.get("risk.role") == "deployer"
    version = evidence.version
    released = f"model version {version.version} answers" if version and version.released else "no version is released"
    model = evidence.get("model")
    settled: dict[str, object] = {
        "trade_name": evidence.name,
        "intended_purpose": evidence.get("purpose"),
        "inputs_and_logic": plain({key: model.get(key) for key in ("modality", "task", "algorithm", "data")})
        if isinstance(model, Mapping)
        else None,
        "status": f"{evidence.environment}: {released}",
        "declaration": _path(evidence, "declaration"),
        "instructions": _path(evidence, "instructions"),
        "entry_url": _path(evidence, "registration"),
    }
    fields = {name: settled.get(name) for name, _ in (_C if deployer else _A)}
    missing = [name for name, value in fields.items() if value is None]
    return {
        "annex": "VIII",
        "section": "C" if deployer else "A",
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
    asked = dict(_C if entry["section"] == "C" else _A)
    fields = entry["fields"]
    assert isinstance(fields, dict)  # noqa: S101 - made three lines above
    rows = [(name, value) for name, value in fields.items() if value is not None]
    needs = tuple(
        need
        for name, value in fields.items()
        if value is None
        for need in _needed(evidence, "registration", f"{name}: {asked[name]}")
    )
    title = f"Registration (AI Act, Annex VIII, section {entry['section']}): {plain(evidence.name)}"
    known = table(("field", "value"), rows)
    return Document("registration", title, _where(evidence), (Section("Entry", (known, *needs)),))


def fria(evidence: Evidence) -> Document:
    """Return a template of the fundamental rights impact assessment, with what is declared."""
    asked = (
        ("1. Processes it is used in", "in which processes, in line with its purpose", _facts(evidence, "purpose")),
        ("2. Period and frequency", "for how long and how often it is used", _facts(evidence, "serving.mode")),
        ("3. Persons and groups", "who is likely to be affected", _facts(evidence, "model.protected")),
        ("4. Specific risks of harm", "the harm to these persons, given the provider's information", ()),
        ("5. Human oversight", "how oversight is carried out in practice", _facts(evidence, "oversight")),
        ("6. Measures if risks materialise", "governance and how people complain", ()),
        ("7. Notification", "the day the market surveillance authority was told", ()),
    )
    found = evidence.document("fria")
    note = (Text(f"The system names its own: {plain(found.path)}"),) if found else ()
    sections = tuple(Section(title, (*known, *_needed(evidence, "fria", what))) for title, what, known in asked)
    title = f"Fundamental rights impact assessment (AI Act, Art. 27), template: {plain(evidence.name)}"
    return Document("fria", title, _where(evidence), (Section("About", (*note, *_facts(evidence, "risk"))), *sections))


def instructions(evidence: Evidence) -> Document:
    """Return a template of the instructions for use, with declared metrics, limits and the groups' fairness."""
    metrics: tuple[Block, ...] = (Needed("measured metrics", human=False),)
    if evidence.version and evidence.version.metrics:
        metrics = (table(("metric", "measured"), sorted(evidence.version.metrics.items())), *figures(evidence))
    own = "instructions"
    sections = (
        Section("1. Provider", _needed(evidence, own, "identity and contact of the provider")),
        Section("2. Purpose and limits", (*_facts(evidence, "purpose", "constraints", "serving.limits"),)),
        Section("3. Accuracy and fairness", (*_facts(evidence, "kpis", "monitor.fairness"), *metrics)),
        Section("4. Input data", (*_facts(evidence, "monitor.range", "model.exclude"),)),
        Section("5. Foreseeable misuse", _needed(evidence, own, "known circumstances that may lead to risks")),
        Section(
            "6. Human oversight",
            (*_facts(evidence, "oversight"), *_needed(evidence, own, "how a person interprets the output")),
        ),
        Section("7. Resources and maintenance", (*_facts(evidence, "serving.resources", "serving.sla"),)),
        Section("8. Logs", (table(("kept", "days"), sorted(evidence.retention.items())),)),
    )
    title = f"Instructions for use (AI Act, Art. 13), template: {plain(evidence.name)}"
    return Document("instructions-for-use", title, _where(evidence), sections)


def _facts(evidence: Evidence, *paths: str) -> tuple[Block, ...]:
    return (table(("declared", "value"), [(path, evidence.get(path)) for path in paths]),)


def _needed(evidence: Evidence, document: str, what: str) -> tuple[Block, ...]:
    """Return what a person must write, or where the system's own document has it."""
    path = _path(evidence, document)
    return (Needed(what),) if path is None else (Text(f"{what}: see {plain(path)}"),)


def _path(evidence: Evidence, name: str) -> str | None:
    found = evidence.document(name)
    return found.path if found and found.exists is not False else None


def _where(evidence: Evidence) -> str:
    return f"{plain(evidence.name)} in {plain(evidence.environment)}, as of {evidence.day or 'no dated fact'}"
