"""The technical documentation of Annex IV: nine sections, filled with what is known; the rest is named as missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.evidence.blocks import Block, Document, Needed, Section, Table, Text, plain, table
from policies.evidence.facts import Evidence, ModelVersion
from policies.evidence.figures import figures

TITLES = (
    "1. General description of the system",
    "2. Elements of the system and its development",
    "3. Monitoring, functioning and control",
    "4. Appropriateness of the performance metrics",
    "5. Risk management system",
    "6. Changes through the lifecycle",
    "7. Harmonised standards and other specifications",
    "8. EU declaration of conformity",
    "9. Post-market monitoring plan",
)
NOTICE = (
    "Drafted by mlstrata from the declared system, the planned resources, the registry and the audit log. "
    "It proves that something is there, consistent and recent; never that it is legally adequate."
)


def annex_iv(evidence: Evidence) -> Document:
    """Return the document; a section that the system's own technical file fills needs no more of a person."""
    written = evidence.document("technical_file")
    given = written.sections if written and written.exists else frozenset()
    builders = (_general, _elements, _monitoring, _metrics, _risk, _changes, _standards, _declaration, _afterwards)
    sections = []
    for number, (title, build) in enumerate(zip(TITLES, builders, strict=True), start=1):
        blocks = list(build(evidence))
        if number in given and written:
            blocks = [block for block in blocks if not (isinstance(block, Needed) and block.human)]
            blocks.append(Text(f"Section {number} of {plain(written.path)} (sha256 {written.sha256}) is part of this."))
        sections.append(Section(title, tuple(blocks)))
    day = evidence.day.isoformat() if evidence.day else "no dated fact"
    where = f"{plain(evidence.name)} in {plain(evidence.environment)} ({evidence.target}), as of {day}"
    front: list[Block] = [Text(NOTICE), _completeness(sections)]
    front += [Needed(one, human=False) for one in evidence.unreadable]
    title = f"Technical documentation (AI Act, Annex IV): {plain(evidence.name)}"
    return Document("technical-documentation", title, where, (Section("Completeness", tuple(front)), *sections))


def _completeness(sections: list[Section]) -> Table:
    rows = [(one.title, "no" if one.missing else "yes", [need.what for need in one.missing] or "-") for one in sections]
    return table(("section", "complete", "missing"), rows)


def _general(evidence: Evidence) -> Iterator[Block]:
    facts = ("purpose", "owner", "sponsor", "risk", "constraints", "serving.mode", "serving.consumers")
    yield table(("declared", "value"), [(name, evidence.get(name)) for name in facts])
    yield Needed(
        "name and address of the provider, and versions of hardware and software it is placed on the market with"
    )
    version = evidence.version
    if version is None:
        yield Needed("a registered model version", human=False)
    else:
        yield table(("model version", "value"), _lineage(version))
    yield from _document(evidence, "instructions", "instructions for use (Art. 13)")


def _elements(evidence: Evidence) -> Iterator[Block]:
    yield table(("model", "value"), _items(evidence.get("model")))
    data = evidence.get("data")
    for dataset in data if isinstance(data, list | tuple) else ():
        yield table(("dataset", "value"), _items(dataset))
    if not data:
        yield Needed("the data it was trained and tested on")
    yield Needed("design choices and their reasons, how data were obtained and labelled, and signed test logs")
    version = evidence.version
    if version is None:
        return
    if version.signature:
        yield Text(f"Signature of the model: {plain(version.signature)}")
    else:
        yield Needed("the model's signature", human=False)
    yield table(("setting", "value"), sorted(version.settings.items()))
    if version.gates is None:
        yield Needed("reports of the training's gates", human=False)
    else:
        yield table(("gate", "passed", "found"), [(one.name, one.passed, one.detail) for one in version.gates])


def _monitoring(evidence: Evidence) -> Iterator[Block]:
    yield table(("oversight", "value"), _items(evidence.get("oversight")))
    yield table(("monitoring", "value"), _items(evidence.get("monitor")))
    yield table(("kept", "days"), sorted(evidence.retention.items()))
    if evidence.parts is None:
        yield Needed("the planned resources", human=False)
    else:
        rows = [(one.type, one.name, one.part or "-", one.own) for one in evidence.parts]
        yield table(("resource", "name", "part", "the system's own"), rows)
    if evidence.findings is not None:
        rows_of = [(one.policy, one.title, one.outcome, one.reason) for one in evidence.findings]
        yield table(("policy", "title", "outcome", "reason"), rows_of)
    yield Needed("foreseeable unintended outcomes, and what a person must do to interpret the output")


def _metrics(evidence: Evidence) -> Iterator[Block]:
    kpis = evidence.get("kpis")
    if kpis:
        yield table(("declared limits",), [[one] for one in kpis] if isinstance(kpis, list | tuple) else [[kpis]])
    else:
        yield Needed("what the system must achieve: `kpis` in the environment's file")
    version = evidence.version
    if version is None or not version.metrics:
        yield Needed("measured metrics", human=False)
    else:
        yield table(("metric", "measured"), sorted(version.metrics.items()))
        yield from figures(evidence)
    yield Needed("why these metrics are appropriate for the purpose")


def _risk(evidence: Evidence) -> Iterator[Block]:
    yield from _document(evidence, "risk_register", "risk management file (Art. 9)")
    yield from _document(evidence, "fria", "fundamental rights impact assessment (Art. 27)")
    yield Needed("the risks that remain and why they are acceptable")


def _changes(evidence: Evidence) -> Iterator[Block]:
    if evidence.decisions is None:
        yield Needed("the audit log", human=False)
    else:
        yield decisions(evidence)
        if evidence.log_whole is False:
            yield Needed("an audit log that is whole: its chain of hashes is broken", human=False)
    yield table(("retirement", "value"), _items(evidence.get("retire")))
    yield Needed("changes that were determined beforehand, and how a substantial one is recognised")


def decisions(evidence: Evidence) -> Table:
    """Return the audit log's entries as a table."""
    rows = [
        (one.number, one.when.isoformat(), one.who, one.action, f"{one.version_from or 'none'} -> {one.version_to}",
         one.outcome, one.reason)
        for one in evidence.decisions or ()
    ]  # fmt: skip
    return table(("#", "when", "who", "action", "versions", "outcome", "reason"), rows)


def _standards(_evidence: Evidence) -> Iterator[Block]:
    yield Needed("harmonised standards applied in full or in part, or the solutions adopted instead")


def _declaration(evidence: Evidence) -> Iterator[Block]:
    yield from _document(evidence, "declaration", "EU declaration of conformity (Art. 47)")
    yield from _document(evidence, "conformity", "conformity assessment (Art. 43)")


def _afterwards(evidence: Evidence) -> Iterator[Block]:
    yield from _document(evidence, "monitoring_plan", "post-market monitoring plan (Art. 72)")
    yield from _document(evidence, "incident_runbook", "what to do on a serious incident (Art. 73)")


def _document(evidence: Evidence, name: str, what: str) -> Iterator[Block]:
    found = evidence.document(name)
    if found is None:
        yield Needed(f"{what}: name it at `documents.{name}`")
    elif found.exists is False:
        yield Needed(f"{what}: {plain(found.path)} does not exist", human=False)
    else:
        state = f"reviewed {found.reviewed}" if found.reviewed else "with no day of review"
        known = f"sha256 {found.sha256}" if found.sha256 else "an address, not fetched"
        yield Text(f"{what}: {plain(found.path)}, {state}, {known}")


def _lineage(version: ModelVersion) -> list[tuple[str, object]]:
    return [
        ("version", version.version),
        ("answers requests", version.released),
        ("registered", version.registered.isoformat() if version.registered else None),
        ("run", version.run),
        ("pipeline run", version.pipeline_run),
        ("commit of the code", version.commit),
        ("data version", version.data_version),
    ]


def _items(value: object) -> list[tuple[str, object]]:
    return sorted((str(key), inner) for key, inner in value.items()) if isinstance(value, Mapping) else []


__all__ = ["NOTICE", "TITLES", "annex_iv", "decisions"]
