"""The technical documentation of Annex IV: nine sections, filled with what is known; the rest is named as missing."""

from __future__ import annotations

from mlstrata.evidence import section_made, section_used
from mlstrata.evidence.blocks import Block, Document, Heading, Needed, Section, Table, Text, facts, plain, table
from mlstrata.evidence.facts import Evidence

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
    "Drafted by mlstrata from the declared system, the planned resources, the registry and the audit log; every table "
    "says its source. It proves that something is there, consistent and recent; never that it is legally adequate. "
    "What only a person can say is marked and left open."
)
_BUILDERS = (
    section_made.general,
    section_made.elements,
    section_used.monitoring,
    section_used.metrics,
    section_used.risk,
    section_used.changes,
    section_used.standards,
    section_used.declaration,
    section_used.afterwards,
)


def annex_iv(evidence: Evidence) -> Document:
    """Return the document; a section that the system's own technical file fills needs no more of a person."""
    written = evidence.document("technical_file")
    given = written.sections if written and written.exists else frozenset()
    sections = []
    for number, (title, build) in enumerate(zip(TITLES, _BUILDERS, strict=True), start=1):
        blocks = list(build(evidence))
        if number in given and written:
            blocks = [block for block in blocks if not (isinstance(block, Needed) and block.human)]
            own = [("File", f"{plain(written.path)}, section {number}"), ("SHA-256", written.sha256)]
            blocks += [Heading("Written by people"), facts(own, "What this section leaves open is said there")]
        sections.append(Section(title, tuple(blocks)))
    front: list[Block] = [Text(NOTICE, note=True), _completeness(sections)]
    front += [Needed(one, human=False) for one in evidence.unreadable]
    title = f"Technical documentation (AI Act, Annex IV): {plain(evidence.name)}"
    chapters = (Section("Completeness", tuple(front)), *sections, _signatures())
    return Document("technical-documentation", title, where(evidence), chapters, control(evidence))


def where(evidence: Evidence) -> str:
    """Return the line that says what and when a document speaks of."""
    day = evidence.day.isoformat() if evidence.day else "no dated fact"
    return f"{plain(evidence.name)} in {plain(evidence.environment)} ({plain(evidence.target)}), as of {day}"


def control(evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """Return what identifies a document of the dossier."""
    version = evidence.version
    released = ("answers requests" if version.released else "not released") if version else ""
    rows = [
        ("System", evidence.name),
        (
            "Environment",
            f"{plain(evidence.environment)}, target {plain(evidence.target)}, stage {plain(evidence.stage)}",
        ),
        ("Model version", f"{plain(version.version)}, {released}" if version else "none registered or readable"),
        ("Risk tier", evidence.get("risk.tier")),
        ("Answers for the system", evidence.get("owner") or evidence.owner),
        ("As of", evidence.day.isoformat() if evidence.day else "no dated fact"),
    ]
    return tuple((name, plain(value)) for name, value in rows)


def _completeness(sections: list[Section]) -> Table:
    rows = []
    for section in sections:
        people, lacking = (sum(need.human is human for need in section.missing) for human in (True, False))
        rows.append((section.title, "no" if section.missing else "yes", people or "-", lacking or "-"))
    headings = ("section", "complete", "need a person", "not available")
    return table(headings, rows, "Available content, by section of Annex IV", (0.55, 0.13, 0.16, 0.16))


def _signatures() -> Section:
    note = Text("The responsible person signs this file when it is complete; mlstrata signs nothing.", note=True)
    blank = table(("role", "name", "date", "signature"), [("Provider or deployer", " ", " ", " ")] + [
        (role, " ", " ", " ") for role in ("Human oversight", "Quality management")])  # fmt: skip
    return Section("Signatures", (note, blank))


__all__ = ["NOTICE", "TITLES", "annex_iv", "control", "where"]
