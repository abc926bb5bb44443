"""The technical documentation of Annex IV: nine sections, filled with what is known; the rest is named as missing."""

from __future__ import annotations

from mlstrata.evidence import section_made, section_used
from mlstrata.evidence.blocks import Block, Document, Heading, Needed, Section, Status, Table, Text, facts, plain, table
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.section_parts import answers_for

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
    "says its source. Each sentence, table and plot is marked: declared is what the environment's file wants or a "
    "named person says, planned is what the program's resources hold, observed is what was read from the registry, the "
    "audit log or the running platform. It proves that something is there, consistent and recent; never that it is "
    "legally adequate. What only a person can say is a question with an id, open until a named person answers it."
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
    """Return the document; the system's own technical file is named by section, and answers no question for anybody."""
    written = evidence.document("technical_file")
    sections = []
    for number, (title, build) in enumerate(zip(TITLES, _BUILDERS, strict=True), start=1):
        blocks = list(build(evidence))
        if written and number in written.sections and answers_for(evidence, "technical_file"):
            own = [("File", f"{plain(written.path)}, section {number}"), ("SHA-256", written.sha256)]
            blocks += [Heading("Also written"), facts(own, Status.DECLARED, "The system's own technical documentation")]
        sections.append(Section(title, tuple(blocks)))
    front: list[Block] = [Text(NOTICE, Status.NOTE), _completeness(sections)]
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
        ("Risk tier, as declared", evidence.get("risk.tier")),
        ("Answers for the system, as declared", evidence.get("owner") or evidence.owner),
        ("As of", evidence.day.isoformat() if evidence.day else "no dated fact"),
    ]
    return tuple((name, plain(value)) for name, value in rows)


def _completeness(sections: list[Section]) -> Table:
    rows = []
    for section in sections:
        people, lacking = (sum(need.human is human for need in section.missing) for human in (True, False))
        rows.append((section.title, "no" if section.missing else "yes", people or "-", lacking or "-"))
    headings = ("section", "complete", "need a person", "not available")
    return table(headings, rows, Status.OBSERVED, "Available content, by section of Annex IV", (0.55, 0.13, 0.16, 0.16))


def _signatures() -> Section:
    note = Text("The responsible person signs this file when it is complete; mlstrata signs nothing.", Status.NOTE)
    rows = [(role, " ", " ", " ") for role in ("Provider or deployer", "Human oversight", "Quality management")]
    blank = table(("role", "name", "date", "signature"), rows, Status.NOTE)
    return Section("Signatures", (note, blank))


__all__ = ["NOTICE", "TITLES", "annex_iv", "control", "where"]
