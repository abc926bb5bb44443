"""The technical documentation of Annex IV: nine sections, filled with what is known; the rest is named as missing."""

from __future__ import annotations

from mlstrata.evidence import section_made, section_used, words
from mlstrata.evidence.blocks import Block, Document, Heading, Needed, Section, Status, Table, Text, facts, plain, table
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.language import day, heads, say
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
    for index, (title, build) in enumerate(zip(TITLES, _BUILDERS, strict=True), start=1):
        blocks = list(build(evidence))
        if written and index in written.sections and answers_for(evidence, "technical_file"):
            own = [
                (say("File"), say("{path}, section {number}", path=plain(written.path), number=index)),
                ("SHA-256", written.sha256),
            ]
            blocks += [
                Heading(say("Also written")),
                facts(own, Status.DECLARED, say("The system's own technical documentation")),
            ]
        sections.append(Section(say(title), tuple(blocks)))
    front: list[Block] = [Text(say(NOTICE), Status.NOTE), _completeness(sections)]
    front += [Needed(one, human=False) for one in evidence.unreadable]
    title = say("Technical documentation (AI Act, Annex IV): {name}", name=plain(evidence.name))
    chapters = (Section(say("Completeness"), tuple(front)), *sections, _signatures())
    return Document("technical-documentation", title, where(evidence), chapters, control(evidence))


def where(evidence: Evidence) -> str:
    """Return the line that says what and when a document speaks of."""
    when = day(evidence.day) if evidence.day else say("no dated fact")
    return say(
        "{name} in {environment} ({target}), as of {day}",
        name=plain(evidence.name),
        environment=plain(evidence.environment),
        target=plain(evidence.target),
        day=when,
    )


def control(evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """Return what identifies a document of the dossier."""
    version = evidence.version
    released = (say("answers requests") if version.released else say("not released")) if version else ""
    rows = [
        (say("System"), evidence.name),
        (
            say("Environment"),
            say(
                "{environment}, target {target}, stage {stage}",
                environment=plain(evidence.environment),
                target=plain(evidence.target),
                stage=plain(evidence.stage),
            ),
        ),
        (
            say("Model version"),
            f"{plain(version.version)}, {released}" if version else say("none registered or readable"),
        ),
        (say("Risk tier, as declared"), words.tier(evidence)),
        (say("Answers for the system, as declared"), evidence.get("owner") or evidence.owner),
        (say("As of"), day(evidence.day) if evidence.day else say("no dated fact")),
    ]
    return tuple((name, plain(value)) for name, value in rows)


def _completeness(sections: list[Section]) -> Table:
    rows = []
    for section in sections:
        people, lacking = (sum(need.human is human for need in section.missing) for human in (True, False))
        rows.append((section.title, not section.missing, people or "-", lacking or "-"))
    headings = heads("section", "complete", "need a person", "not available")
    return table(
        headings, rows, Status.OBSERVED, say("Available content, by section of Annex IV"), (0.55, 0.13, 0.16, 0.16)
    )


def _signatures() -> Section:
    note = Text(say("The responsible person signs this file when it is complete; mlstrata signs nothing."), Status.NOTE)
    rows = [
        (role, " ", " ", " ")
        for role in (say("Provider or deployer"), say("Human oversight"), say("Quality management"))
    ]
    blank = table(heads("role", "name", "date", "signature"), rows, Status.NOTE)
    return Section(say("Signatures"), (note, blank))


__all__ = ["NOTICE", "TITLES", "annex_iv", "control", "where"]
