"""The dossier's first page: which files there are, what each is for, what lacks, and the hash of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlstrata.evidence import html
from mlstrata.evidence.annex_iv import NOTICE, control, where
from mlstrata.evidence.blocks import Block, Document, Section, Status, Text, plain, table
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.language import heads, say

_DATA = {
    "assessment-results.json": "What the policies say, as OSCAL 1.1 assessment results",
    "facts.json": "What is known as data, for a later `--since`",
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
    headings = heads("document", "files", "state")
    listed = replace(table(headings, rows, Status.NOTE, say("Documents"), (0.52, 0.3, 0.18)), files=1)
    named = sorted((name, say(what)) for name, what in _DATA.items() if name in files)
    data = replace(table(heads("file", "what it is"), named, Status.NOTE, say("Data"), (0.3, 0.7)), files=0)
    hashes = [(name, hashlib.sha256(files[name]).hexdigest()) for name in sorted(files)]
    manifest = table(
        heads("file", "SHA-256"), hashes, Status.NOTE, say("Hashes, also in MANIFEST.sha256"), (0.36, 0.64)
    )
    missing: list[Block] = []
    for one in documents:
        lacking = [(section.title, need) for section in one.sections for need in section.missing]
        missing += [replace(need, what=f"{one.name}, {title}: {need.what}") for title, need in lacking]
    check = Text(
        say("`sha256sum --check MANIFEST.sha256` in this folder tells whether a file was changed."), Status.NOTE
    )
    sections = [Section(say("What is here"), (Text(say(NOTICE), Status.NOTE), listed, data))]
    if missing:
        sections.append(Section(say("What lacks"), tuple(missing)))
    sections.append(Section(say("Hashes"), (manifest, check)))
    title = say("Dossier of {name}", name=plain(evidence.name))
    return html.render(Document("index", title, where(evidence), tuple(sections), control(evidence)))


def _state(document: Document) -> str:
    count = len(document.missing)
    return say("filled") if not count else say("draft: {count} missing", count=count)
