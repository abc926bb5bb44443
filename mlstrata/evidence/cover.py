"""The dossier's first page: which files there are, what each is for, what lacks, and the hash of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlstrata.evidence import html
from mlstrata.evidence.annex_iv import NOTICE, control, where
from mlstrata.evidence.blocks import Block, Document, Needed, Section, Text, plain, table
from mlstrata.evidence.facts import Evidence

_DATA = {
    "registration.json": "The registration as data",
    "ml-bom.cdx.json": "Bill of materials of the model: CycloneDX 1.6 with model card",
    "decisions.json": "The audit log's entries as data",
}


def cover(evidence: Evidence, documents: Sequence[Document], files: Mapping[str, bytes]) -> str:
    """Return the page.

    Args:
        evidence: What the dossier was drafted from.
        documents: The dossier's documents.
        files: Every other file of it, by name.
    """
    rows = [(one.title, f"{one.name}.html, {one.name}.pdf", _state(one)) for one in documents]
    listed = replace(table(("document", "files", "state"), rows, "Documents", (0.52, 0.3, 0.18)), files=1)
    data = replace(table(("file", "what it is"), sorted(_DATA.items()), "Data", (0.3, 0.7)), files=0)
    hashes = [(name, hashlib.sha256(files[name]).hexdigest()) for name in sorted(files)]
    manifest = table(("file", "SHA-256"), hashes, "Hashes, also in MANIFEST.sha256", (0.36, 0.64))
    missing: list[Block] = []
    for one in documents:
        lacking = [(section.title, need) for section in one.sections for need in section.missing]
        missing += [Needed(f"{one.name}, {title}: {need.what}", human=need.human) for title, need in lacking]
    check = Text("`sha256sum --check MANIFEST.sha256` in this folder tells whether a file was changed.")
    sections = [Section("What is here", (Text(NOTICE, note=True), listed, data))]
    if missing:
        sections.append(Section("What lacks", tuple(missing)))
    sections.append(Section("Hashes", (manifest, check)))
    title = f"Dossier of {plain(evidence.name)}"
    return html.render(Document("index", title, where(evidence), tuple(sections), control(evidence)))


def _state(document: Document) -> str:
    count = len(document.missing)
    return "filled" if not count else f"draft: {count} missing"
