"""The folder of a dossier: all documents, and a manifest of their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mlstrata.evidence import drafts, html, pdf, svg
from mlstrata.evidence.annex_iv import annex_iv
from mlstrata.evidence.blocks import Document
from mlstrata.evidence.bom import bill
from mlstrata.evidence.changes import changes, known_facts
from mlstrata.evidence.cover import cover
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.language import Language, say, speaking
from mlstrata.evidence.section_parts import answers_for
from mlstrata.evidence.summary import summary
from mlstrata.evidence.templates import (
    decision_log,
    fria,
    instructions,
    registered_in,
    registration,
    registration_document,
)

MANIFEST = "MANIFEST.sha256"
FACTS = "facts.json"


def _high(evidence: Evidence) -> bool:
    return str(evidence.get("risk.tier")) == "high"


def _provided(evidence: Evidence) -> bool:
    return _high(evidence) and "provider" in evidence.roles


DOCUMENTS: tuple[tuple[Callable[[Evidence], Document], Callable[[Evidence], bool]], ...] = (
    # Of a high-risk system the provider documents it; of any other, whoever has it may.
    (annex_iv, lambda one: _provided(one) or not _high(one)),
    (registration_document, lambda one: bool(registered_in(one))),
    (fria, lambda one: _high(one) and "deployer" in one.roles),
    (instructions, lambda one: _provided(one) or not _high(one)),
    (drafts.declaration, lambda one: _provided(one) and not answers_for(one, "declaration")),
    (drafts.monitoring_plan, lambda one: _provided(one) and not answers_for(one, "monitoring_plan")),
    (drafts.incident_report, _high),
    (drafts.dpia, lambda one: drafts.needs_dpia(one) and not answers_for(one, "dpia")),
    (decision_log, lambda _: True),
    (changes, lambda one: one.since is not None),
)
"""Each document, and whether it is drafted of a system: a paper of its own that says something is not drafted anew."""


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        files: Names of the files, the manifest last.
        missing: Document to its sections and what each lacks; empty where all is complete.
    """

    files: tuple[str, ...]
    missing: Mapping[str, Mapping[str, tuple[str, ...]]]

    @property
    def complete(self) -> bool:
        """Return whether no document lacks anything."""
        return not self.missing


def documents_of(evidence: Evidence) -> tuple[Document, ...]:
    """Return the documents that a system's dossier has."""
    return tuple(build(evidence) for build, applies in DOCUMENTS if applies(evidence))


def write(evidence: Evidence, folder: Path) -> Written:
    """Write the dossier into `folder`, in the language of the evidence; the same evidence gives the same bytes.

    What programs read, `facts.json` and the bill of materials, is the same in every language.

    Raises:
        OSError: the folder cannot be written to.
    """
    with speaking(evidence.language):
        return _write(evidence, folder)


def _write(evidence: Evidence, folder: Path) -> Written:
    drafted = documents_of(evidence)
    documents = (summary(evidence, drafted), *drafted)
    with speaking(Language.ENGLISH):
        data = {FACTS: _json(known_facts(evidence)), "ml-bom.cdx.json": _json(bill(evidence))}
    files: dict[str, bytes] = {
        **data,
        "decisions.json": _json(
            [{**asdict(one), "when": one.when.isoformat()} for one in evidence.decisions]
            if evidence.decisions is not None
            else None
        ),
    }
    if entry := registration(evidence):
        files["registration.json"] = _json(entry)
    if evidence.assessment:
        files["assessment-results.json"] = evidence.assessment.encode()
    for document in documents:
        files[f"{document.name}.html"] = html.render(document).encode()
        files[f"{document.name}.pdf"] = pdf.render(document, evidence.day)
        files |= {f"plots/{plot.name}.svg": svg.render(plot).encode() for plot in document.figures}
    files["index.html"] = cover(evidence, documents, files).encode()
    hashes = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    files[MANIFEST] = "".join(hashes).encode()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    missing = {
        document.name: {s.title: tuple(need.asked for need in s.missing) for s in document.sections if s.missing}
        for document in documents
        if any(section.missing for section in document.sections)
    }
    if evidence.unreadable:
        missing["sources"] = {say("not readable"): evidence.unreadable}
    return Written(tuple(files), missing)


def _json(document: object) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n").encode()
